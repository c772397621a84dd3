"""One line of a streams file as an RFC 4180 record.

The transform does the same on columns: transform/spark/row_reasons.py.
"""

BLANK = "".join(map(chr, range(1, 0x21)))  # a line with only these (space and controls, no NUL) is blank


def fields(line: str) -> list[str] | None:
    """Return the fields of a line, or None if the line is not an RFC 4180 record.

    Every quote opens or closes a quoted stretch (``""`` inside one does both and so changes nothing); a comma
    outside of them ends a field. Not a record: an unclosed quote, or a quote that does not enclose a whole field.
    """
    stretches = line.split('"')
    if len(stretches) % 2 == 0:
        return None
    stretches[::2] = [stretch.replace(",", "\0") for stretch in stretches[::2]]
    raw = '"'.join(stretches).split("\0")
    return [_unquoted(field) for field in raw] if all(map(_is_well_quoted, raw)) else None


def _is_well_quoted(field: str) -> bool:
    if '"' not in field:
        return True
    is_wrapped = len(field) >= 2 and field[0] == field[-1] == '"'
    return is_wrapped and '"' not in field[1:-1].replace('""', "")


def _unquoted(field: str) -> str:
    return field[1:-1].replace('""', '"') if field.startswith('"') else field
