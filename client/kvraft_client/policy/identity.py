"""Who a mutation says it is, so that a repeated one is one effect.

Imports: the standard library only.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """The `sequence`-th mutation of a session, as the client numbers them by itself."""

    session_id: int
    sequence: int


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """A key of the caller's own, kept at least ten minutes after the mutation."""

    key: bytes


Identity = SessionIdentity | KeyIdentity
