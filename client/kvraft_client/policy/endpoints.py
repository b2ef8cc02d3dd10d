"""Which endpoint to ask next. The client dials only what it was configured with.

A name is learnt from each answer (`header.node`), the leader from Status and from NOT_LEADER. An
address that the store advertises is never dialled: it may not be reachable from here, and a
proxy in between would be stepped around.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

COOL_DOWN_FIRST_S = 0.2
"""How long an endpoint that could not be reached is passed over at first: about one election."""
COOL_DOWN_MAX_S = 5.0
"""... and at most, doubling in between: a healed endpoint is found again within seconds."""
REASK_S = 0.1
"""How often one endpoint is asked again who leads, while nobody knows: an election takes longer."""


@dataclass(slots=True)
class _Known:
    """What is known of one endpoint."""

    name: str | None = None
    failures: int = 0
    avoid_until: float = 0.0
    asked_at: float = float("-inf")
    heard_at: float = float("-inf")


class Endpoints:
    """The configured endpoints and what the answers taught about them. One client owns one."""

    def __init__(self, addresses: Sequence[str], quiet_s: float) -> None:
        """Start with nothing known; the first address is asked first.

        An endpoint that was not heard for `quiet_s` seconds is probed before a mutation: that
        costs a round trip, and makes a retry elsewhere of what would otherwise be UNKNOWN.
        """
        if not addresses:
            raise ValueError("at least one endpoint is needed")
        self._known = {address: _Known() for address in addresses}
        self._quiet_s = quiet_s
        self._current = addresses[0]
        self._term = 0
        self.leader: str | None = None
        """Name of the node that leads, as far as anybody said."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All endpoints, in the order they were configured."""
        return tuple(self._known)

    def choose(self, now: float, tried: Collection[str] = ()) -> str | None:
        """Return the endpoint to try next, not one of `tried`; None if that leaves none."""
        current = self._known[self._current]
        leads = current.name is not None and current.name == self.leader
        if leads and not tried and now >= current.avoid_until:
            return self._current  # nothing ranks before it
        candidates = [address for address in self._known if address not in tried]
        if not candidates:
            return None
        return min(candidates, key=lambda address: self._rank(address, now))

    def _rank(self, address: str, now: float) -> tuple[bool, int, bool]:
        known = self._known[address]
        return (now < known.avoid_until, self._distance(known.name), address != self._current)

    def _distance(self, name: str | None) -> int:
        """0 the leader's, 1 it may be the leader's, 2 surely another's."""
        if self.leader is None:
            return 0
        if name == self.leader:
            return 0
        return 1 if name is None else 2

    def wants_probe(self, address: str, now: float, *, ready: bool, mutation: bool) -> bool:
        """Whether to ask the endpoint for its status before the request is sent to it."""
        known = self._known[address]
        if not ready or known.name is None:
            return True
        if mutation and now - known.heard_at > self._quiet_s:
            return True
        return self.leader is None and now - known.asked_at > REASK_S

    def probing(self, address: str, now: float) -> None:
        """Note that the endpoint is being asked who leads, so that concurrent calls need not."""
        self._known[address].asked_at = now

    def answered(self, address: str, node: str, term: int, now: float) -> None:
        """Learn from the header of an answer. A newer term means that the leader is not known."""
        known = self._known[address]
        known.failures = 0
        known.avoid_until = 0.0
        known.heard_at = now
        self._current = address
        if node:
            known.name = node
        if term > self._term:
            self._term = term
            self.leader = None
            for each in self._known.values():
                each.asked_at = float("-inf")

    def heard(self, address: str, now: float) -> None:
        """Note that the store itself answered, be it by a refusal."""
        self._known[address].heard_at = now

    def leader_is(self, name: str | None, term: int) -> None:
        """Learn who leads from a node's status at that term; an older term teaches nothing."""
        if term >= self._term and name is not None:
            self.leader = name

    def refused(self, address: str, leader: str | None) -> None:
        """Learn from NOT_LEADER or NO_QUORUM: who said it does not lead; maybe `leader` does."""
        if leader is not None and leader != self._known[address].name:
            self.leader = leader
        elif self.leader is not None and self._known[address].name == self.leader:
            self.leader = None

    def failed(self, address: str, now: float, jitter: float) -> None:
        """Pass the endpoint over for a while: it was not reached, or did not answer.

        `jitter` is a random number of [0, 1): clients of one cluster must not come back together.
        All calls that one break ended count as one failure.
        """
        known = self._known[address]
        if now >= known.avoid_until:
            known.failures += 1
            pause = min(COOL_DOWN_MAX_S, COOL_DOWN_FIRST_S * 2.0 ** min(known.failures - 1, 10))
            known.avoid_until = now + pause * (0.5 + jitter / 2)
        known.heard_at = float("-inf")
        if known.name is not None and known.name == self.leader:
            self.leader = None
