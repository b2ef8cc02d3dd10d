"""Strings in the text form: bytes in double quotes, UTF-8 but for their escapes."""

import re

_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"\\": b"\\"}
_NAMES = {value: name for name, value in _ESCAPES.items()}
_ESCAPED = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)


class UnknownEscapeError(ValueError):
    """A backslash before something that is no escape."""


def unquote(token: str) -> bytes:
    """Return the bytes that `"..."` or `b"..."` stands for."""
    body = token[token.index('"') + 1 : -1].encode()

    def plain(match: re.Match[bytes]) -> bytes:
        name = match[1]
        if len(name) == 3:
            return bytes([int(name[1:], 16)])
        if name not in _ESCAPES:
            raise UnknownEscapeError(f"unknown escape \\{name.decode(errors='replace')}")
        return _ESCAPES[name]

    return _ESCAPED.sub(plain, body)


def quote(data: bytes) -> str:
    """Return the shortest string that `unquote` turns into these bytes."""
    text = data.decode(errors="surrogateescape")
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(char: str) -> str:
    raw = char.encode(errors="surrogateescape")
    if raw in _NAMES:
        return "\\" + _NAMES[raw].decode()
    if len(raw) == 1 and (raw < b" " or raw >= b"\x7f"):
        return f"\\x{raw[0]:02x}"
    return char
