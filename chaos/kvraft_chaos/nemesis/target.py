"""What a fault may touch: a cluster of processes, or one of containers."""

from typing import Protocol

from kvraft_chaos.nemesis.holds import Holds
from kvraft_chaos.proxies import Proxies


class Pausable(Protocol):
    """A client that can be stopped in the middle of what it does, and does not notice."""

    @property
    def name(self) -> str: ...

    def pause(self) -> None: ...

    def resume(self) -> None:
        """Harmless where it is not paused, or gone."""


class Target(Protocol):
    """`ChaosCluster` and `ComposeCluster`."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def proxies(self) -> Proxies: ...

    @property
    def holds(self) -> Holds: ...

    @property
    def clients(self) -> list[Pausable]:
        """Whoever runs clients puts them here, so that faults can pause them."""

    def link(self, name: str) -> str:
        """The proxy of a link of `topology`."""

    def endpoint(self, name: str) -> str: ...

    def leader(self) -> str | None: ...

    def running(self, name: str) -> bool: ...

    def start(self, name: str) -> None: ...

    def kill(self, name: str) -> None: ...

    def pause(self, name: str) -> None: ...

    def resume(self, name: str) -> None: ...

    def disconnect(self, name: str) -> None:
        """Take the node's whole network away: peers and clients."""

    def connect(self, name: str) -> None: ...

    def mend(self) -> None:
        """Bring everything back that a fault may have touched, whatever any stroke remembers.

        A node that ended by itself stays down: that is a finding, not a fault.
        """
