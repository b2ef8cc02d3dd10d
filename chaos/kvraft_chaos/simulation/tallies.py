"""What updates must add up to: what was answered counts once, what is in doubt at most."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from kvraft.core.actions import ActionKind
from kvraft.core.commands import Command, Request, Update
from kvraft.core.keyspace import Record
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.effects import bare

COUNTERS = (b"c/0", b"c/1")
WORDS, DOCUMENT, HIGHEST = b"a/0", b"j/0", b"h/0"

Report = Callable[[str, str], None]


def judge(account: Account, live: Mapping[bytes, Record], report: Report) -> None:
    """Hold the values at the end against what clients were told."""
    done, maybe = Counter[Command](account.effective), account.unknown
    for command in done:
        if isinstance(command, Request) and command.identity is not None:
            done[command] = min(done[command], 1)
    for key in COUNTERS:
        value = int(live[key][0]) if key in live else 0
        _between(key, value, _count(done, key), _count(maybe, key), report)
    total = json.loads(live[DOCUMENT][0])["sum"] if DOCUMENT in live else 0
    _between(DOCUMENT, total, _count(done, DOCUMENT), _count(maybe, DOCUMENT), report)
    _judge_words(done, maybe, live.get(WORDS), report)
    _judge_highest(done, live.get(HIGHEST), report)


def _updates(counts: Mapping[Command, int], key: bytes) -> Iterator[tuple[Update, int]]:
    for command, count in counts.items():
        mutation = bare(command)
        if isinstance(mutation, Update) and mutation.key == key:
            yield mutation, count


def _count(counts: Mapping[Command, int], key: bytes) -> int:
    return sum(count for _, count in _updates(counts, key))


def _between(key: bytes, value: int, low: int, more: int, report: Report) -> None:
    if not low <= value <= low + more:
        detail = f"{key!r} is {value}: {low} additions were answered, {more} are unknown"
        report("wrong-sum", detail)


def _judge_words(
    done: Mapping[Command, int],
    maybe: Mapping[Command, int],
    record: Record | None,
    report: Report,
) -> None:
    there = Counter([] if record is None else record[0].split(b";")[1:])
    owed = {mutation.actions[0].operand for mutation, _ in _updates(done, WORDS)}
    open_ends = {mutation.actions[0].operand for mutation, _ in _updates(maybe, WORDS)}
    for word, count in there.items():
        if count > 1 or not {b";" + word} & (owed | open_ends):
            report("wrong-words", f"{word!r} stands {count} times, and should not")
    missing = {word for word in owed if isinstance(word, bytes) and word[1:] not in there}
    if missing:
        report("wrong-words", f"{missing} was answered, and is not there")


def _judge_highest(done: Mapping[Command, int], record: Record | None, report: Report) -> None:
    told = [mutation.actions[0] for mutation, _ in _updates(done, HIGHEST)]
    numbers = [each.operand for each in told if each.kind is ActionKind.MAX]
    highest = max((number for number in numbers if isinstance(number, int)), default=0)
    if highest > (0 if record is None else int(record[0])):
        report("wrong-highest", f"{record} after {highest} was answered")
