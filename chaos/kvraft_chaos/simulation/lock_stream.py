"""An acquisition followed on a node: the node's real hub, one piece of news at a time on the way.

A client that hangs up, or is not heard for long, closes the stream as a broken connection does.
"""

from functools import partial

from kvraft.core.commands import Acquire
from kvraft.core.errors import Outcome, Reason
from kvraft.core.results import AcquireResult, Refused, Standing
from kvraft.replica.lock_waiter import Waiter
from kvraft.replica.outcomes import Answer, Denied
from kvraft_chaos.simulation.client_network import Answering, Serve
from kvraft_chaos.simulation.client_process import Heard, Reply, application
from kvraft_chaos.simulation.node import SimulatedNode

SILENCE_S = 2.5
"""Seconds without the client, after which its connection is taken for dead."""

News = AcquireResult | Refused | None
"""How the acquisition stands; None: no news."""


class ServedAcquisition:
    """One stream on the node's side."""

    def __init__(self, node: SimulatedNode, name: str) -> None:
        self._node = node
        self._store = application(node)
        self._name = name
        self._done: Answering[Heard[News]] | None = None
        self._asked = 0
        self.waiter: Waiter | None = None

    def next(self, deadline: float, done: Answering[Heard[News]]) -> None:
        """Answer with what is new, or at the deadline with nothing."""
        node, self._done = self._node, done
        self._asked += 1
        self.on_news()
        assert node.process is not None
        if self._done is not None:
            left = max(0.0, deadline - node.clock.read())
            node.after(node.process, left, partial(self._late, self._asked))
        node.after(node.process, SILENCE_S, partial(self._silent, self._asked))

    def on_news(self) -> None:
        """Take what there is, if the client waits for it."""
        waiter = self.waiter
        if waiter is None or self._done is None:
            return
        news = waiter.take()
        if news is not None:
            if news.standing is not Standing.QUEUED:
                waiter.finish()
                self.close()
            self._answer(news)
        elif isinstance(waiter.ended, Answer):
            assert isinstance(waiter.ended.result, Refused), waiter.ended
            self.close()
            self._answer(waiter.ended.result)
        elif waiter.ended is not None:
            self.close()
            self._answer(waiter.ended)

    def close(self) -> None:
        """End the stream."""
        if self._store.served.get(self._name) is self:
            del self._store.served[self._name]
        if self.waiter is not None:
            self.waiter.close()

    def _late(self, asked: int) -> None:
        if asked == self._asked and self._done is not None:
            self._answer(None)

    def _silent(self, asked: int) -> None:
        if asked == self._asked:
            self.close()

    def _answer(self, said: News | Denied) -> None:
        done, self._done = self._done, None
        assert done is not None
        if isinstance(said, Denied):
            done(said)
        else:
            done(Reply(said, self._node.name, self._store.term, self._store.machine.index))


def acquiring(command: Acquire) -> Serve[Heard[News]]:
    """Ask a node for an acquisition, and hear how it stands."""
    return partial(_acquire, command)


def _acquire(
    command: Acquire, node: SimulatedNode, deadline: float, done: Answering[Heard[News]]
) -> None:
    store, name = application(node), _name(command)
    before = store.served.get(name)
    served = ServedAcquisition(node, name)
    waiter = store.locks.acquire(command, deadline, served.on_news)
    if isinstance(waiter, Denied):
        done(waiter)
        return
    served.waiter = waiter
    if isinstance(before, ServedAcquisition):
        before.close()
    store.served[name] = served
    served.next(deadline, done)


def following(command: Acquire) -> Serve[Heard[News]]:
    """Ask a node for news of an acquisition that it follows."""
    return partial(_follow, command)


def _follow(
    command: Acquire, node: SimulatedNode, deadline: float, done: Answering[Heard[News]]
) -> None:
    served = application(node).served.get(_name(command))
    if isinstance(served, ServedAcquisition):
        served.next(deadline, done)
    else:
        done(Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "the stream is broken"))


def hanging_up(command: Acquire) -> Serve[Heard[News]]:
    """Give a stream up, as a cancelled call does."""
    return partial(_hang_up, command)


def _hang_up(
    command: Acquire, node: SimulatedNode, _deadline: float, done: Answering[Heard[News]]
) -> None:
    store = application(node)
    served = store.served.get(_name(command))
    if isinstance(served, ServedAcquisition):
        served.close()
    done(Reply(None, node.name, store.term, store.machine.index))


def _name(command: Acquire) -> str:
    return f"lock {command.key!r}"
