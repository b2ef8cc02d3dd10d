"""Mistakes with watches, on the node's side and on the client's."""

from collections.abc import Sequence

from kvraft.replica.watch_topics import Change
from kvraft.replica.watcher import Message, Watcher
from kvraft_chaos.simulation.mutants.registry import Patch, mutant, replaced, together
from kvraft_client.policy.watch import WatchPosition


@mutant("a_slow_watch_misses_nothing", "skipped")
def watch_skips_on_slow_consumer() -> Patch:
    """A watch for which the buffer is too small goes on with what comes next."""
    fall_behind = Watcher.fall_behind

    def goes_on(self: Watcher, revision: int) -> None:
        fall_behind(self, revision)
        self.position = self._hub.past().revision

    return replaced(Watcher, "fall_behind", goes_on)


@mutant("a_mark_of_progress_promises_what_was_handed_out", "mark-ahead")
def progress_mark_ahead_of_delivery() -> Patch:
    """A message says how far the node is, not how far the watch is."""
    message = Watcher._message  # noqa: SLF001 - the mistake is made there

    def of_the_node(self: Watcher, changes: list[Change]) -> Message:
        revision = self._hub.past().revision
        return message(self, changes)._replace(revision=revision)

    return replaced(Watcher, "_message", of_the_node)


@mutant("a_watch_goes_on_through_failovers_and_restarts", "watch-repeat")
def watch_repeats_after_resume() -> Patch:
    """A client goes on at the last revision that it has, and hands it out again."""

    def next_revision(self: WatchPosition) -> int | None:
        return self.through

    def takes_all(self: WatchPosition, through: int, _: Sequence[int]) -> int:
        self.through = max(self.through or 0, through)
        return 0

    return together(
        replaced(WatchPosition, "next_revision", property(next_revision)),
        replaced(WatchPosition, "take", takes_all),
    )


@mutant("a_revision_in_parts_arrives_whole", "watch-gap")
def watch_takes_a_part_for_the_whole() -> Patch:
    """A client that has the first part of a large revision believes that it has all of it."""

    def believes(self: WatchPosition, through: int, revisions: Sequence[int]) -> int:
        known = self.through or 0
        self.through = max(known, through, *revisions[-1:])
        return sum(revision <= known for revision in revisions)

    return replaced(WatchPosition, "take", believes)
