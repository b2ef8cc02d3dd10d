"""Handing leadership over (thesis 3.10): the target gets everything, then campaigns."""

from collections.abc import Callable
from dataclasses import dataclass

from kvraft.consensus.contact import LeaderContact
from kvraft.consensus.links import Links
from kvraft.consensus.messages import TimeoutNow
from kvraft.consensus.proposals import Proposals
from kvraft.consensus.replication import Replication
from kvraft.consensus.shared import Shared

TransferDone = Callable[[str | None], None]


@dataclass(slots=True)
class _Transfer:
    to: str
    deadline: float
    done: TransferDone
    told: bool = False


class Transfer:
    """At most one at a time; proposals wait while it lasts."""

    def __init__(
        self,
        shared: Shared,
        links: Links,
        contact: LeaderContact,
        replication: Replication,
        proposals: Proposals,
    ) -> None:
        self._shared = shared
        self._links = links
        self._contact = contact
        self._replication = replication
        self._proposals = proposals
        self._transfer: _Transfer | None = None

    def start(self, to: str | None, done: TransferDone) -> None:
        shared = self._shared
        if not shared.leads:
            done(f"{shared.name} does not lead")
        elif self._transfer is not None:
            done(f"leadership is being handed to {self._transfer.to} already")
        elif to == shared.name:
            done(None)
        elif to is not None and to not in shared.peers:
            done(f"{to} is no member of this cluster")
        else:
            self._start(to or self._most_caught_up(), done)

    def _start(self, to: str | None, done: TransferDone) -> None:
        now = self._shared.doors.now()
        if to is None or not self._in_contact(to, now):
            done(f"{to or 'no follower'} does not answer as a voter")
            return
        limit = self._shared.timing.election_max_ms / 1000
        self._transfer = _Transfer(to, now + limit, done)
        self._proposals.holding = True
        self._shared.doors.event(f"hands leadership to {to}")
        self._shared.doors.wake()

    def _in_contact(self, peer: str, now: float) -> bool:
        """Whether it can take over at once: who is asleep would only make the proposals wait."""
        age = self._contact.age(peer, now)
        limit = self._shared.timing.transfer_contact_ms / 1000
        return self._links[peer].outbound and age is not None and age <= limit

    def _most_caught_up(self) -> str | None:
        now = self._shared.doors.now()
        candidates = [
            (self._replication.followers[peer].match, peer)
            for peer in self._shared.peers
            if self._links[peer].up and self._in_contact(peer, now)
        ]
        return max(candidates)[1] if candidates else None

    @property
    def is_on(self) -> bool:
        """Whether leadership is being handed over."""
        return self._transfer is not None

    def poll(self, now: float) -> None:
        transfer, shared = self._transfer, self._shared
        if transfer is None:
            return
        if now > transfer.deadline:
            missing = "did not take over" if transfer.told else "did not catch up"
            limit = shared.timing.election_max_ms
            self._end(f"{transfer.to} {missing} within {limit} ms")
            self._proposals.release()
        elif not transfer.told and shared.leads:
            match = self._replication.followers[transfer.to].match
            if match == shared.journal.last_index:
                transfer.told = self._links.send(transfer.to, TimeoutNow(shared.term))

    def following(self, leader: str) -> None:
        """Another node leads: the transfer, if there was one, is over."""
        if self._transfer is not None:
            target = self._transfer.to
            self._end(None if leader == target else f"{leader} leads instead of {target}")

    def _end(self, why_not: str | None) -> None:
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            transfer.done(why_not)
