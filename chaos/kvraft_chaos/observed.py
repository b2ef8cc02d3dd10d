"""A cluster as seen from outside: what its nodes say of themselves, and waiting for it."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from kvraft_chaos.node_client import NodeClient, NodeError, Standing
from kvraft_chaos.waiting import wait_until

READY_SECONDS = 20.0
"""From process start to a leader that all know; about a second on an idle machine."""
STATUS_SECONDS = 0.5
"""Status needs no quorum: a node that does not answer this fast is paused, gone or cut off."""


class ClusterError(Exception):
    """A node that ended by itself, or is not in the state asked for; shows the end of its log."""


class ObservedCluster(ABC):
    """What processes and containers have in common."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._observers: dict[str, NodeClient] = {}

    @abstractmethod
    def running(self, name: str) -> bool:
        """Whether the node has been started, and has not ended; it may be paused."""

    @abstractmethod
    def check_alive(self) -> None:
        """ClusterError where a node that should run has ended by itself."""

    @abstractmethod
    def last_words(self, name: str) -> str:
        """The end of a node's log."""

    def observe(self, addresses: dict[str, str]) -> None:
        """Ask the nodes there; where faults are on the links of clients, beside those links."""
        self._observers = {name: NodeClient(name, where) for name, where in addresses.items()}

    def stop_observing(self) -> None:
        for observer in self._observers.values():
            observer.close()
        self._observers = {}

    def standings(self, names: Sequence[str] | None = None) -> dict[str, Standing]:
        """What each node that answers says of itself; silent ones cost one wait, not one each."""

        def ask(name: str) -> Standing | None:
            with contextlib.suppress(NodeError):
                return self._observers[name].standing(STATUS_SECONDS)
            return None

        asked = tuple(names or self.names)
        with ThreadPoolExecutor(len(asked)) as pool:
            answers = zip(asked, pool.map(ask, asked), strict=True)
            return {name: answer for name, answer in answers if answer is not None}

    def leader(self, among: Sequence[str] | None = None) -> str | None:
        """The node of the highest term that says it leads, as seen by these nodes."""
        leading = [each for each in self.standings(among).values() if each.leads]
        return max(leading, key=lambda each: each.term).node if leading else None

    def wait_ready(self, within_s: float = READY_SECONDS) -> float:
        """Until all running nodes follow one leader; seconds it took."""

        def agreed() -> bool:
            self.check_alive()
            expected = [name for name in self.names if self.running(name)]
            standings = self.standings(expected) if expected else {}
            leaders = {each.leader for each in standings.values()}
            terms = {each.term for each in standings.values()}
            everybody = len(standings) == len(expected)
            return everybody and len(terms) == 1 and len(leaders) == 1 and None not in leaders

        return self.wait(agreed, within_s, "all nodes follow one leader")

    def wait(self, condition: Callable[[], bool], within_s: float, what: str) -> float:
        """Like `wait_until`; the error shows the end of every node's log."""
        try:
            return wait_until(condition, within_s, what)
        except TimeoutError as error:
            logs = "\n".join(f"--- {name}\n{self.last_words(name)}" for name in self.names)
            raise ClusterError(f"{error}\n{logs}") from error
