"""Numbers as values: int64 in ASCII decimal, in one spelling only.

Imports: nothing. One spelling, so that a number that is read and written back has the same bytes.
"""

import re

INT64_MAX = (1 << 63) - 1
INT64_MIN = -(1 << 63)

_DECIMAL = re.compile(rb"-?(?:0|[1-9][0-9]{0,18})").fullmatch


def number(value: bytes) -> int | None:
    """Read a value as int64; None where it is none."""
    if not _DECIMAL(value):
        return None
    parsed = int(value)
    return parsed if INT64_MIN <= parsed <= INT64_MAX else None
