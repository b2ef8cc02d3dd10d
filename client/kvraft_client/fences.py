"""Fences: claims that the caller still holds a lock, which the store checks with the mutation.

`fence=` takes a lock that this process holds, a (name, token) pair, or a list of these.
Imports: the errors and requests only.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from kvraft.v1 import kv_pb2
from kvraft_client.errors import InvalidRequest
from kvraft_client.requests import Data, as_bytes

FENCES_MAX = 64
"""Of one mutation, as the store bounds them."""
TOKEN_MAX = (1 << 63) - 1
"""Tokens are positive int64."""


class Fence(NamedTuple):
    """A lock's name and the token of one of its holders; give it to whoever acts for the holder."""

    lock: bytes
    token: int


@runtime_checkable
class Fencing(Protocol):
    """A lock that this process holds."""

    @property
    def fences(self) -> tuple[Fence, ...]:
        """One fence for each of its names. LockLost: it is held no more."""

    def stale(self) -> None:
        """Take the store's word that it is held no more."""


OneFence = Fencing | tuple[Data, int]
FenceLike = OneFence | Sequence[OneFence]
"""What `fence=` takes."""


def as_lock_name(name: Data) -> bytes:
    """Encode a lock's name; an empty one is refused."""
    encoded = as_bytes("the name of a lock", name)
    if not encoded:
        raise InvalidRequest("the name of the lock is empty")
    return encoded


def fence_of(name: Data, token: int) -> Fence:
    """Check a fence that was written down."""
    if isinstance(token, bool) or not isinstance(token, int):
        raise TypeError(f"a token is an int, not {type(token).__name__}")
    if not 0 < token <= TOKEN_MAX:
        raise InvalidRequest(f"a token is a positive int64, not {token}")
    return Fence(as_lock_name(name), token)


def fences_of(fence: FenceLike | None) -> tuple[Fence, ...]:
    """Return all fences that were given. LockLost: one is of a lock that is held no more."""
    found = [each for part in _parts(fence) for each in _fences(part)]
    if len(found) > FENCES_MAX:
        raise InvalidRequest(f"a mutation takes at most {FENCES_MAX} fences, not {len(found)}")
    return tuple(dict.fromkeys(found))


def tell_stale(fence: FenceLike | None) -> None:
    """Tell the lock whose fence was stale; of several, nobody knows here which it was."""
    parts = _parts(fence)
    if len(parts) == 1 and isinstance(parts[0], Fencing):
        parts[0].stale()


def fence_protos(fences: Iterable[Fence]) -> list[kv_pb2.Fence]:
    """Convert fences."""
    return [kv_pb2.Fence(lock=each.lock, token=each.token) for each in fences]


def _parts(fence: FenceLike | None) -> list[OneFence]:
    if fence is None:
        return []
    if isinstance(fence, Fencing) or _is_pair(fence):
        return [fence]  # type: ignore[list-item]  # told apart by its parts
    if isinstance(fence, str | bytes) or not isinstance(fence, Sequence):
        raise TypeError(_wrong(fence))
    return list(fence)  # type: ignore[arg-type]  # ... so this is a sequence of them


def _fences(part: OneFence) -> tuple[Fence, ...]:
    if isinstance(part, Fencing):
        return part.fences
    if not _is_pair(part):
        raise TypeError(_wrong(part))
    name, token = part
    return (fence_of(name, token),)


def _is_pair(given: object) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str | bytes)


def _wrong(given: object) -> str:
    return (
        "fence must be a lock that is held, a (name, token) pair, or a list of these, "
        f"not {type(given).__name__}"
    )
