"""The replicated member table from the leader's side: the first entry, and disks that come back.

Imports: core, the consensus port. See ARCHITECTURE, "Disks and identities".
"""

from collections.abc import Callable

from kvraft.consensus.port import Consensus, Hello
from kvraft.core.commands import EMPTY_SLOT, Bootstrap, Member, MemberDisk
from kvraft.core.limits import ApplyLimits
from kvraft.core.machine import StateMachine
from kvraft.core.results import Refused
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.outcomes import Answer, Denied

Submit = Callable[[Bootstrap | MemberDisk, Callable[[Answer | Denied], None]], None]


class Membership:
    """Proposes `Bootstrap` once, and `MemberDisk` for each disk that asks to join."""

    def __init__(
        self,
        consensus: Consensus,
        limits: ReplicaLimits,
        *,
        submit: Submit,
        random: Callable[[], float],
        event: Callable[[str], None],
    ) -> None:
        self._consensus = consensus
        self._limits = limits
        self._submit = submit
        self._random = random
        self._event = event
        self._leading_since: float | None = None
        self._bootstrapping = False
        self._joined_at: dict[tuple[str, int], float] = {}

    def start(self, now: float) -> None:
        """This node may propose from now on."""
        self._leading_since = now
        self._bootstrapping = False
        self._joined_at.clear()

    def stop(self) -> None:
        """This node does not lead any more."""
        self._leading_since = None

    def step(self, machine: StateMachine, now: float) -> None:
        """Propose the cluster's identity, once every disk is known or has been waited for."""
        if self._leading_since is None or machine.cluster_id or self._bootstrapping:
            return
        known, status = self._consensus.known_peers(), self._consensus.status()
        names = sorted((status.name, *(peer.name for peer in status.peers)))
        waited_ms = (now - self._leading_since) * 1000
        if len(known) < len(names) and waited_ms < self._limits.bootstrap_wait_ms:
            return
        self._bootstrapping = True
        members = tuple(_member(name, known.get(name)) for name in names)
        cluster_id = 1 + int(self._random() * (1 << 53)) * 1021 % ((1 << 63) - 2)
        self._submit(Bootstrap(cluster_id, members, ApplyLimits()), self._bootstrapped)

    def join(self, name: str, disk_id: int, command_version: int, now: float) -> None:
        """A disk asks for its name; propose it, not oftener than `join_retry_ms`."""
        if self._leading_since is None:
            return
        asked = self._joined_at.get((name, disk_id))
        if asked is not None and (now - asked) * 1000 < self._limits.join_retry_ms:
            return
        self._joined_at[(name, disk_id)] = now
        self._submit(MemberDisk(Member(name, disk_id, command_version)), self._joined)

    def _joined(self, outcome: Answer | Denied) -> None:
        """Whoever joins asks again until it sees its own entry; a refusal would be for ever."""
        if isinstance(outcome, Answer) and isinstance(outcome.result, Refused):
            self._event(f"the state refuses a disk: {outcome.result.message}")

    def _bootstrapped(self, outcome: Answer | Denied) -> None:
        if isinstance(outcome, Denied):  # try again, if this node still leads
            self._bootstrapping = False


def _member(name: str, hello: Hello | None) -> Member:
    """A slot whose disk nobody has seen yet is empty; it is filled by `MemberDisk`."""
    if hello is None:
        return Member(name, EMPTY_SLOT)
    return Member(hello.name, hello.disk_id, hello.command_version)
