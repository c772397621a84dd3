"""Lines of streams files are parsed as RFC 4180 records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from music_streams.validation import csv_line

RECORDS = [
    ("a,b,c", ["a", "b", "c"]),
    ("", [""]),
    (",", ["", ""]),
    ("a,,", ["a", "", ""]),
    (" a , b", [" a ", " b"]),
    ('"a","b"', ["a", "b"]),
    ('"",""', ["", ""]),
    ('"a,b",c', ["a,b", "c"]),
    ('"a ""b"" c",d', ['a "b" c', "d"]),
    ('""""', ['"']),
    ('"""a"""', ['"a"']),
    ('",",","', [",", ","]),
    ("é,𝄞", ["é", "𝄞"]),
    ("a\tb,c", ["a\tb", "c"]),
]
NO_RECORDS = ['"a', 'a"', '"a,b', 'a"b"c,d', '"a"b,c', 'a,"b"c', '"a" ,b', 'a, "b"', '"""', '"a"b"', 'a""b']

FIELDS = st.lists(st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"])), min_size=1)


@pytest.mark.parametrize(("line", "fields"), RECORDS)
def test_a_record_is_split_into_its_fields(line, fields):
    assert csv_line.fields(line) == fields


@pytest.mark.parametrize("line", NO_RECORDS)
def test_a_quote_that_does_not_enclose_a_whole_field_is_not_a_record(line):
    assert csv_line.fields(line) is None


@given(FIELDS)
def test_fields_that_are_all_quoted_or_only_where_needed_are_read_back(fields):
    quoted = ['"{}"'.format(field.replace('"', '""')) for field in fields]
    sparse = [quote if set(field) & set('",') else field for field, quote in zip(fields, quoted, strict=True)]
    assert csv_line.fields(",".join(quoted)) == csv_line.fields(",".join(sparse)) == fields
