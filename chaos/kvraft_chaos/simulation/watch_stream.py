"""A watch between a client and a node: the node's real hub, one message at a time on the way.

The client asks for the next message when it has taken the last, as flow control makes a slow reader
do; a message that is lost on the way, or a node that does not know the watch, breaks the stream.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kvraft.core.errors import Outcome, Reason
from kvraft.replica.outcomes import Denied
from kvraft.replica.watch_topics import WatchSpec
from kvraft.replica.watcher import Message, WatchEnd, Watcher
from kvraft_chaos.simulation.client_network import Answering, Serve
from kvraft_chaos.simulation.client_process import Heard, Reply, application
from kvraft_chaos.simulation.node import SimulatedNode
from kvraft_chaos.simulation.store import Store

PROGRESS_MS = 800
"""Between two marks of progress."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Which watch, from which revision on."""

    client: str
    number: int
    """Of the stream: a client counts them."""
    spec: WatchSpec
    start: int | None


Next = Message | WatchEnd | None
"""What comes next; None: nothing yet."""


class ServedWatch:
    """One watch on the node's side."""

    def __init__(self, node: SimulatedNode, asking: Asking) -> None:
        self._node = node
        self._store = application(node)
        self.number = asking.number
        self._done: Answering[Heard[Next]] | None = None
        self._asked = 0
        self.watcher: Watcher | None = None

    def next(self, deadline: float, done: Answering[Heard[Next]]) -> None:
        """Answer with the next message, or at the deadline with none."""
        node, self._done = self._node, done
        self._asked += 1
        self.on_news()
        if self._done is not None:
            assert node.process is not None
            left = max(0.0, deadline - node.clock.read())
            node.after(node.process, left, partial(self._late, self._asked))

    def on_news(self) -> None:
        """Take what there is, if the client waits for it."""
        watcher = self.watcher
        assert watcher is not None
        while self._done is not None:
            message = watcher.take()
            if message is not None or watcher.ended is not None:
                self._answer(message or watcher.ended)
            elif not watcher.is_behind:
                return

    def _late(self, asked: int) -> None:
        if asked == self._asked and self._done is not None:
            self._answer(None)

    def _answer(self, said: Next) -> None:
        done, self._done = self._done, None
        store = self._store
        assert done is not None
        done(Reply(said, self._node.name, store.term, store.machine.index))


def opening(asking: Asking) -> Serve[Heard[WatchEnd | None]]:
    """Ask a node to begin a watch."""
    return partial(_open, asking)


def _open(
    asking: Asking, node: SimulatedNode, deadline: float, done: Answering[Heard[WatchEnd | None]]
) -> None:
    store = application(node)
    if asking.start is None:
        store.read_barrier(deadline, partial(_begin, asking, node, store, done))
    elif not store.machine.cluster_id:
        done(Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "no member yet", retry_after_ms=100))
    else:
        _begin(asking, node, store, done, None)


def _begin(
    asking: Asking,
    node: SimulatedNode,
    store: Store,
    done: Answering[Heard[WatchEnd | None]],
    denied: Denied | None,
) -> None:
    if denied is not None:
        done(denied)
        return
    served = ServedWatch(node, asking)
    outcome = store.watches.open(asking.spec, asking.start, PROGRESS_MS, served.on_news)
    if isinstance(outcome, Denied):
        done(outcome)
        return
    ended: WatchEnd | None = None
    if isinstance(outcome, WatchEnd):
        ended = outcome
    else:
        served.watcher = outcome
        before = store.served.pop(asking.client, None)
        if isinstance(before, ServedWatch) and before.watcher is not None:
            before.watcher.close()  # its client has hung up
        store.served[asking.client] = served
    done(Reply(ended, node.name, store.term, store.machine.index))


def following(client: str, number: int) -> Serve[Heard[Next]]:
    """Ask a node for the next message of a watch that it serves."""
    return partial(_follow, client, number)


def _follow(
    client: str,
    number: int,
    node: SimulatedNode,
    deadline: float,
    done: Callable[[Heard[Next]], None],
) -> None:
    served = application(node).served.get(client)
    if isinstance(served, ServedWatch) and served.number == number:
        served.next(deadline, done)
    else:
        done(Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "the stream is broken"))
