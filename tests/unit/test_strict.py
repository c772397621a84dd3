"""Untrusted JSON is rejected unless it is an object with unique names and valid UTF-8."""

import pytest

from music_streams import strict

REFUSED = {
    "no JSON": "not json",
    "a list": "[]",
    "a name twice": '{"a": 1, "a": 1}',
    "a name twice inside": '{"a": [{"b": 1, "b": 1}]}',
    "no number": '{"a": NaN}',
    "no end of it": '{"a": -Infinity}',
    "nested a thousandfold": '{"a": ' + "[" * 100_000,
    "no UTF-8": b'{"a": "\xff"}',
    "half a surrogate pair": '{"a": "\\ud800"}',
    "the other half": '{"a": ["\\udfff!"]}',
    "half a pair in a name": '{"a": {"\\ud800": 1}}',
    "halves in the wrong order": '{"a": "\\udc00\\ud800"}',
    "half a pair unescaped": '{"a": "\ud800"}',
    "half a pair in the bytes": '{"a": "\ud800"}'.encode("utf-8", "surrogatepass"),
    "half a pair in UTF-16": '{"a": "\ud800"}'.encode("utf-16", "surrogatepass"),
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_anything_but_a_json_object_is_rejected(text):
    with pytest.raises(ValueError, match=r"^must be a JSON object"):
        strict.json_object(text)


def test_a_json_object_is_parsed():
    text = '{"a": [1, 2.5, null, true, "\\ud83c\\udfb5 \\u0000 ü"], "b": {"a": 1}}'
    expected = {"a": [1, 2.5, None, True, "🎵 \0 ü"], "b": {"a": 1}}
    assert strict.json_object(text) == strict.json_object(text.encode()) == expected
