"""What the steps of a saga say.

Imports: conditions and operations only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kvraft_client.conditions import Condition
from kvraft_client.operations import Operation


class Abort(Exception):  # noqa: N818 - what a step says, and no failure
    """Raised by a step that cannot be done: undo those before it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a step does in the store: committed with the saga's progress, so exactly once.

    Where `when` is false, a step aborts the saga, and an undoing has nothing to undo. The
    operations are any but a transaction.
    """

    operations: Sequence[Operation] = ()
    when: Condition | None = None
