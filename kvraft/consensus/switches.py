"""One switch for each guard around PySyncObj; off only in tests and mutants.

A guard that no test fails without is no guard. `tests/unit/consensus` and the scripted schedules
turn these off one at a time; production never passes anything but the default.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Switches:
    """Each field closes one gap; the numbers are rows of the gap table in ARCHITECTURE.md."""

    normalise_appends: bool = True
    """Row 1: a follower never truncates what matches. Off: appends reach SyncObj as they came."""
    term_on_acks: bool = True
    """Row 2: an ack counts only in the term that asked for it. Off: any ack counts."""
    clamp_snapshot_commit: bool = True
    """Row 3: a piece of a snapshot never commits. Off: each one moves SyncObj's commit index."""
    align_log_to_snapshot: bool = True
    """Row 4: the log keeps what extends the snapshot. Off: recovery drops it, as SyncObj does."""
    hold_acks_for_disk: bool = True
    """Row 5: acks wait for the fsync of what they claim. Off: they leave at once."""
    vote_durable: bool = True
    """Row 5: votes, and requests for them, wait for their fsync. Off: they leave at once."""
    leader_counts_own_disk: bool = True
    """Row 5: the leader counts itself only up to its own fsync. Off: SyncObj's hard-wired 1."""
    distrust_stored_commit: bool = True
    """Row 6: the commit index is learned again after a restart. Off: the log's end counts."""
    single_callback: bool = True
    """Row 17: a deposed leader answers its pending proposals. Off: they wait for ever."""
    probe: bool = True
    """Row 13: one append in flight until the follower's position is known. Off: a burst."""
    fast_backtracking: bool = True
    """Row 14: a refusal names the first index of the conflicting term. Off: one entry a refusal."""
    prevote: bool = True
    """Row 15: no campaign that a majority would refuse. Off: campaign at once."""
    stickiness: bool = True
    """Row 15: no vote while a leader is alive. Off: votes are given at once."""
    higher_term_notice: bool = True
    """Row 15: who speaks in an old term is told. Off: silence."""
    check_quorum: bool = True
    """Row 15: a leader out of contact steps down. Off: it goes on for ever."""
    own_term_barrier: bool = True
    """Row 16: no read index before an entry of the own term is committed. Off: at once."""
    barrier_fresh_round: bool = True
    """Row 16: a read counts only answers to a round begun after it. Off: any round's answers."""
    send_time_contact: bool = True
    """RULES I8: contact is when the answered heartbeat was sent. Off: when the answer arrived."""
    link_epochs: bool = True
    """RULES B1: what was awaited from a link dies with either connection of the pair."""
    ask_again: bool = True
    """RULES B1: unanswered questions are asked again. Off: once."""
    rejoin_silence: bool = True
    """RULES B2: a rejoining node gives nothing that counts. Off: it votes and acks at once."""
    rejoin_burned_vote: bool = True
    """RULES B2: it becomes a voter with this term's vote spent. Off: it may vote in this term."""
    disk_identity: bool = True
    """RULES B3: only the disk in the member table counts for a name. Off: whoever bears it."""
    fast_failover: bool = True
    """RULES I7: a leader whose connection is lost is given 50 ms. Off: a full timeout."""
