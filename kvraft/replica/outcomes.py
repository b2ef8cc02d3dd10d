"""What a caller of this node hears: an answer of the state machine, or why there is none.

Imports: core only. Unknown is an outcome of its own: nothing here turns "may have happened" into
"did not happen".
"""

from collections.abc import Callable

from kvraft.core.errors import Outcome, Reason
from kvraft.core.results import Result
from kvraft.core.values import value


@value
class Answer:
    """The state machine's result (a `Refused` is one too), and the store's revision after it."""

    result: Result
    revision: int
    index: int
    """Log index of the entry that carried the command."""


@value
class Denied:
    """No result: why, what that says about the effect, and where to turn."""

    reason: Reason
    outcome: Outcome
    message: str
    leader: str | None = None
    """The name of the node that leads as far as this one knows; the service adds its address."""
    retry_after_ms: int | None = None


Done = Callable[[Answer | Denied], None]
BarrierDone = Callable[[Denied | None], None]
