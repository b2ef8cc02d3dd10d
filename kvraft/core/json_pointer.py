"""Places in a JSON value, named by RFC 6901 pointers: find, put, remove.

Imports: core json_value. Pointers were checked (`pointer_fault`) before they come here.
"""

import re
from enum import Enum

from kvraft.core.json_value import JsonValue


class Place(Enum):
    """Where there is no value."""

    MISSING = 0


_INDEX = re.compile("0|[1-9][0-9]{0,8}").fullmatch  # of more digits than any array has: missing
_BEHIND_LAST = "-"
_BAD_ESCAPE = re.compile("~(?![01])").search


def pointer_fault(pointer: str) -> str | None:
    """Say why a text is no JSON pointer; None where it is one."""
    if pointer and not pointer.startswith("/"):
        return f"the JSON pointer {pointer[:64]!r} must be empty or begin with '/'"
    if _BAD_ESCAPE(pointer):
        return f"in the JSON pointer {pointer[:64]!r} a '~' must be followed by 0 or 1"
    return None


def find(document: JsonValue, pointer: str) -> JsonValue | Place:
    """Return what is at a place."""
    value: JsonValue | Place = document
    for token in pointer.split("/")[1:]:
        if isinstance(value, dict):
            value = value.get(_unescaped(token), Place.MISSING)
        elif isinstance(value, list):
            index = _index(value, token)
            value = Place.MISSING if index is None else value[index]
        else:
            return Place.MISSING
    return value


def put(document: JsonValue | Place, pointer: str, value: JsonValue) -> JsonValue | Place:
    """Put a value at a place, over what is there, and return the document.

    MISSING, and nothing is changed, where no parent could take it. A missing document counts as
    an empty object; in an array "-" is the place behind the last.
    """
    if not pointer:
        return value
    root: JsonValue = {} if document is Place.MISSING else document
    head, _, token = pointer.rpartition("/")
    parent = find(root, head)
    if isinstance(parent, dict):
        parent[_unescaped(token)] = value
        return root
    if not isinstance(parent, list):
        return Place.MISSING
    index = _index(parent, token)
    if index is not None:
        parent[index] = value
    elif token == _BEHIND_LAST:
        parent.append(value)
    else:
        return Place.MISSING
    return root


def remove(document: JsonValue, pointer: str) -> bool:
    """Remove what is at a place (not the whole document); False where nothing is there."""
    head, _, token = pointer.rpartition("/")
    parent = find(document, head)
    if isinstance(parent, dict):
        return parent.pop(_unescaped(token), Place.MISSING) is not Place.MISSING
    if isinstance(parent, list):
        index = _index(parent, token)
        if index is not None:
            del parent[index]
            return True
    return False


def _unescaped(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~") if "~" in token else token


def _index(array: list[JsonValue], token: str) -> int | None:
    if not _INDEX(token):
        return None
    index = int(token)
    return index if index < len(array) else None
