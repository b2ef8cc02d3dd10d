"""What a request claims to hold: its fences are checked before anything else of it.

Imports: core bounds, commands, errors, places, results. A fence is good while its token is exactly
that of a current holder of its lock, in any mode; for a guard only an exclusive holder's counts.
"""

from kvraft.core.bounds import shown
from kvraft.core.commands import Fence, LockMode
from kvraft.core.errors import Reason
from kvraft.core.places import Places
from kvraft.core.results import Refused

_TOKENS_SHOWN = 4


def refuse_fences(places: Places, fences: tuple[Fence, ...]) -> Refused | None:
    """Say which fence is the first that does not hold, or None."""
    for fence in fences:
        if places.holder(fence) is None:
            return _stale(places, fence)
    return None


def exclusive_locks(places: Places, fences: tuple[Fence, ...]) -> frozenset[bytes]:
    """Return the locks whose exclusive holder these fences name."""
    return frozenset(
        fence.lock
        for fence in fences
        if places.holder(fence) is not None and places.locks[fence.lock].held == LockMode.EXCLUSIVE
    )


def _stale(places: Places, fence: Fence) -> Refused:
    tokens = places.tokens_of(fence.lock, _TOKENS_SHOWN + 1)
    held = "nobody holds it"
    if tokens:
        names = ", ".join(map(str, tokens[:_TOKENS_SHOWN]))
        more = ", ..." if len(tokens) > _TOKENS_SHOWN else ""
        held = f"it is held with {names}{more}"
    message = f"token {fence.token} of lock {shown(fence.lock)} is not valid: {held}"
    return Refused(Reason.STALE_FENCE, message)
