"""Who counts: cluster id, the disk behind each name, and the way back after a lost disk.

RULES B2 and B3. A name counts with one disk only, the one in the member table. A node whose disk is
not the one in the table (it lost its own, or its slot was empty) counts for nothing: no vote, no
ack, no echo of a heartbeat. It asks the leader to propose `MemberDisk`; once it knows that entry
committed and holds its log durably, one record makes it a voter whose vote in the present term is
spent, because its former disk may have given it away.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from kvraft.consensus.links import Links
from kvraft.consensus.messages import Join
from kvraft.consensus.port import Hello, HelloRefused
from kvraft.consensus.records import Members
from kvraft.consensus.shared import Shared

PROTOCOL_MIN, PROTOCOL_MAX = 1, 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What the data directory and this process start say of the node."""

    disk_id: int
    boot_id: int
    cluster_id: int
    """0: this directory has not seen its cluster's bootstrap."""
    origin: int
    """Digest of the backup that the first state was restored from; 0: empty."""
    rejoining: bool
    command_version: int
    endpoint: str


SaveIdentity = Callable[[int, bool], None]
"""Persist (cluster_id, rejoining), durably, before it returns. Rare."""


class Membership:
    """The member table as applied here, and this node's own standing in it."""

    def __init__(
        self, shared: Shared, links: Links, identity: Identity, save_identity: SaveIdentity
    ) -> None:
        self._shared = shared
        self._links = links
        self._save_identity = save_identity
        self.identity = identity
        self._spending = 0  # sequence of the record that makes this node a voter
        self._asked_at = self._told_at = float("-inf")
        vote = shared.journal.vote
        self._lost_disk = identity.rejoining and not vote.rejoined
        self.outside = False
        """Its disk is not the one in the table: it is on its way into the cluster."""
        self.silent = False
        """This node counts for nothing yet (REJOINING)."""
        self._judge()
        if identity.rejoining and vote.rejoined:
            self._persist(shared.journal.members.cluster_id, rejoining=False)

    # -- who counts
    @property
    def members(self) -> Members:
        return self._shared.journal.members

    def _judge(self) -> None:
        disks = self.members.disks
        self._slot_empty = bool(disks) and disks.get(self._shared.name) != self.identity.disk_id
        self.outside = self._lost_disk or self._slot_empty
        self.silent = self._shared.switches.rejoin_silence and self.outside

    def counts(self, peer: str) -> bool:
        """Do this peer's votes, acks and echoes count here?"""
        if not self._shared.switches.disk_identity:
            return True
        hello, disks = self._links[peer].hello, self.members.disks
        if hello is None:
            return False
        if disks:
            # True for a rejoining node from the moment its entry is applied here; until it is a
            # voter it sends nothing that counts.
            return disks.get(peer) == hello.disk_id
        if hello.rejoining:
            return False
        return self.identity.cluster_id in (0, hello.cluster_id)

    def may_lead(self, peer: str) -> bool:
        """May appends of this peer be taken? Also where only its table is the newer one."""
        if self.counts(peer) or self.identity.cluster_id == 0:
            return True
        hello = self._links[peer].hello
        return hello is not None and hello.cluster_id == self.identity.cluster_id

    # -- handshake
    def hello(self) -> Hello:
        identity = self.identity
        return Hello(
            cluster_id=identity.cluster_id,
            origin=identity.origin,
            name=self._shared.name,
            disk_id=identity.disk_id,
            boot_id=identity.boot_id,
            protocol_min=PROTOCOL_MIN,
            protocol_max=PROTOCOL_MAX,
            command_version=identity.command_version,
            endpoint=identity.endpoint,
            rejoining=self._lost_disk,
            members_index=self.members.index,
        )

    def check_hello(self, hello: Hello) -> HelloRefused | None:
        """May this peer talk to this node? The reason is for people."""
        reason = self._stranger(hello) or self._other_cluster(hello) or self._other_disk(hello)
        return None if reason is None else HelloRefused(reason)

    def _stranger(self, hello: Hello) -> str | None:
        mine = self._shared.name
        if hello.name == mine:
            return f"it says it is {mine}, which is this node"
        if hello.name not in self._shared.peers:
            known = ", ".join(sorted((*self._shared.peers, mine)))
            return f"{hello.name} is no member of this cluster, which is {known}"
        if hello.protocol_max < PROTOCOL_MIN or hello.protocol_min > PROTOCOL_MAX:
            return (
                f"{hello.name} speaks peer protocol {hello.protocol_min} to {hello.protocol_max}, "
                f"{mine} {PROTOCOL_MIN} to {PROTOCOL_MAX}"
            )
        if self._links.is_retired(hello):
            return f"{hello.name} has started again since"
        return None

    def _other_cluster(self, hello: Hello) -> str | None:
        ours, theirs = self.identity.cluster_id, hello.cluster_id
        if ours and theirs and ours != theirs:
            return f"{hello.name} belongs to cluster {theirs:016x}, this node to {ours:016x}"
        empty = self.identity.rejoining or hello.rejoining
        if not ours and not theirs and not empty and self.identity.origin != hello.origin:
            return (
                f"{hello.name} starts from another first state ({hello.origin:016x}, this node "
                f"from {self.identity.origin:016x}): restore all nodes from the same backup"
            )
        if ours and not theirs and hello.origin and hello.origin != self.identity.origin:
            return f"{hello.name} was restored from a backup, but this cluster runs already"
        return None

    def _other_disk(self, hello: Hello) -> str | None:
        if not self._shared.switches.disk_identity:
            return None
        known = self.members.disks.get(hello.name)
        if known is None or known == hello.disk_id or hello.rejoining:
            return None
        same_cluster = hello.cluster_id == self.identity.cluster_id != 0
        if same_cluster and hello.members_index > self.members.index:
            return None  # our table is the older one: listen to it, without counting it
        return (
            f"{hello.name} comes with a different disk; "
            "if its disk was lost, start it with --rejoin on an empty directory"
        )

    # -- the table changes
    def set_members(self, cluster_id: int, disks: Mapping[str, int], index: int) -> None:
        """Take the table that the state holds at `index`; refused connections are reset."""
        old, new = self.members, Members(cluster_id, index, dict(disks))
        if (old.cluster_id, old.disks) == (new.cluster_id, new.disks):
            return
        if index < old.index:
            return  # after a restart the state goes through what this node knew already
        self._shared.journal.set_members(new)
        self._judge()
        if cluster_id != self.identity.cluster_id:
            self._persist(cluster_id, rejoining=self._lost_disk)
        for peer in self._shared.peers:
            link = self._links[peer]
            if link.hello is None or not (link.inbound or link.outbound):
                continue
            refused = self.check_hello(link.hello)
            if refused is not None:
                self._shared.doors.reset(peer, refused.reason)

    def poll(self, now: float, leader: str | None) -> None:
        """Go on with this node's way into the cluster, if it is on one."""
        if not self.outside:
            return
        if self._lost_disk and self.members.disks and not self._slot_empty:
            self._become_voter()
        elif now - self._asked_at > self._shared.timing.election_min_ms / 1000:
            self._asked_at = now
            self._ask(now, leader)

    def _become_voter(self) -> None:
        """Known committed (it is applied); what is missing is that all this is on disk."""
        journal = self._shared.journal
        if not self._spending:
            self._spending = (
                journal.spend_vote()
                if self._shared.switches.rejoin_burned_vote
                else journal.sequence
            )
        if journal.durable_sequence >= self._spending:
            self._lost_disk = False
            self._judge()
            self._persist(self.members.cluster_id, rejoining=False)
            self._shared.doors.event(f"rejoined: {self._shared.name} is a voter again")

    def _ask(self, now: float, leader: str | None) -> None:
        identity, name = self.identity, self._shared.name
        if leader is not None and leader != name:  # it may lead still, as its slot is given away
            join = Join(self._shared.term, identity.disk_id, identity.command_version)
            self._links.send(leader, join)
        if now - self._told_at > self._shared.timing.rejoin_report_ms / 1000:
            self._told_at = now
            missing = [peer for peer in self._shared.peers if not self._links[peer].up]
            self._shared.doors.event(
                f"{name} is rejoining and counts for nothing yet; leader: {leader or 'none'}; "
                f"not connected: {', '.join(missing) or 'nobody'}"
            )

    def _persist(self, cluster_id: int, *, rejoining: bool) -> None:
        self.identity = replace(self.identity, cluster_id=cluster_id, rejoining=rejoining)
        self._save_identity(cluster_id, rejoining)
