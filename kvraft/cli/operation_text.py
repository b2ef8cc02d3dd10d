"""Operations of a transaction as words: `put KEY VALUE`, quoted as for a shell."""

import shlex
from typing import Any

from kvraft_client import operations
from kvraft_client.errors import InvalidRequest
from kvraft_client.operations import Operation

FORMS = (
    "get KEY",
    "list PREFIX",
    "put KEY VALUE [--ttl S | --lease ID | --keep-lease]",
    "delete KEY",
    "delete-prefix PREFIX",
    "update KEY ACTION... [--ttl S | --lease ID]",
)
_OPTIONS = frozenset({"--ttl", "--lease", "--keep-lease"})


def parse_operation(text: str) -> Operation:
    """Return the operation; InvalidRequest shows the text and the forms there are."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidRequest(f"{text!r}: {str(error).lower()}") from error
    operation = _operation(words)
    if operation is not None:
        return operation
    verb = words[0] if words else ""
    forms = [form for form in FORMS if form.split()[0] == verb] or FORMS
    raise InvalidRequest(f"{text!r} is not one of: {', '.join(forms)} (quote what has spaces)")


def _operation(words: list[str]) -> Operation | None:
    match words:
        case ["get", key]:
            return operations.get(key)
        case ["list", prefix]:
            return operations.list(prefix)
        case ["put" | "update", _, _, *_]:
            return _write(words)
        case ["delete", key]:
            return operations.delete(key)
        case ["delete-prefix", prefix]:
            return operations.delete_prefix(prefix)
    return None


def _write(words: list[str]) -> Operation | None:
    """Return a put or an update; its options stand last, behind at least one value or action."""
    options = next((at for at, word in enumerate(words) if at > 2 and word in _OPTIONS), len(words))
    attached = _attachment(words[options:])
    match words[:options]:
        case ["put", key, value] if attached is not None:
            return operations.put(key, value, **attached)
        case ["update", key, *actions] if attached is not None and "keep_lease" not in attached:
            return _update(key, actions, **attached)
    return None


def _attachment(words: list[str]) -> dict[str, Any] | None:
    """Return with what the key goes, if with anything; None: these words do not say it."""
    match words:
        case []:
            return {}
        case ["--ttl", seconds]:
            return {"ttl": _number(float, seconds)}
        case ["--lease", lease_id]:
            return {"lease": _number(int, lease_id)}
        case ["--keep-lease"]:
            return {"keep_lease": True}
    return None


def _number(kind: type[int] | type[float], word: str) -> float:
    try:
        return kind(word)
    except ValueError as error:
        what = "a number of seconds" if kind is float else "a number, as a lease id is"
        raise InvalidRequest(f"{word!r} is not {what}") from error


def _update(key: str, actions: list[str], **attached: Any) -> Operation:
    from kvraft_client.text import parse_action  # noqa: PLC0415 - loads the parser

    return operations.update(key, *(parse_action(each) for each in actions), **attached)
