"""A call in two parts: what it asks of the node, and what writes the answer into a response.

So the same code serves a call of its own, which waits, and one of many in a pipeline, which do not.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from kvraft.core.commands import Acquire, Command
from kvraft.core.machine import StateMachine
from kvraft.replica.lock_waiter import Waiter
from kvraft.replica.outcomes import Answer, Denied
from kvraft.service.convert.reads import LINEARIZABLE, Demands

Into = TypeVar("Into")


class Change(NamedTuple, Generic[Into]):
    """A call that is a command; `write` raises CallError where the command was not applied."""

    command: Command
    write: Callable[[Into, Answer | Denied], None]


class Following(NamedTuple, Generic[Into]):
    """A call for a place in queues, and for what becomes of that.

    `write` takes what is news, and tells whether it was the last; CallError where it ended so.
    """

    command: Acquire
    write: Callable[[Into, Waiter], bool]


class View(NamedTuple, Generic[Into]):
    """A call that looks at a state which meets the demands."""

    write: Callable[[Into, StateMachine], None]
    demands: Demands = LINEARIZABLE


class Parts(NamedTuple, Generic[Into]):
    """A call that looks at what never changes, a part in each turn of the loop.

    `write` goes on where it was, with a state that meets the demands; True: the answer is complete.
    """

    write: Callable[[Into, StateMachine], bool]
    demands: Demands


Work = Change[Into] | View[Into] | Parts[Into]
