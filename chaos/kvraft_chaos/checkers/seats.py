"""The last seat: never more guests than seats, and every guest was told what became of it."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from kvraft_chaos.checkers.asked import Asked, asked
from kvraft_chaos.checkers.finding import Finding
from kvraft_chaos.checkers.store_log import Change, final_log
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.history import Event

NAME = "seats"
TAKEN, FREED = "taken", "given back"


def check_seats(events: Iterable[Event], prefix: str, seats: int) -> Finding:
    """Replay `PREFIX/SHOW/free` and `PREFIX/SHOW/guests/GUEST`; a guest is one client's alone."""
    calls = asked(events)
    log = final_log(calls, f"{prefix}/")
    if log is None:
        return Finding(NAME, Verdict.UNKNOWN, "the store's log of the seats was not read")
    shows: dict[str, list[Change]] = {}
    for change in log:
        shows.setdefault("/".join(change.key.split("/")[:2]), []).append(change)
    told: dict[tuple[str, str], list[Asked]] = {}
    for call in calls:
        if call.f in ("seats_take", "seats_give_back"):
            told.setdefault((call.key, call.argument["guest"]), []).append(call)
    for show, changes in shows.items():
        fault = _wrong_sum(show, changes, seats)
        if fault is not None:
            return Finding(NAME, Verdict.INVALID, fault, show)
    for (show, guest), asks in told.items():
        fault = _otherwise(f"{show}/guests/{guest}", asks, shows.get(show, []))
        if fault is not None:
            indexes = tuple(index for ask in asks for index in ask.indexes)
            return Finding(NAME, Verdict.INVALID, f"guest {guest} of {show} {fault}", show, indexes)
    taken = sum(change.value is not None and "/guests/" in change.key for change in log)
    sentence = f"{taken} seats taken at {len(shows)} shows of {seats}, none twice, all as told"
    return Finding(NAME, Verdict.VALID, sentence)


def _wrong_sum(show: str, changes: Sequence[Change], seats: int) -> str | None:
    guests: set[str] = set()
    free = 0
    for revision, together in groupby(changes, key=lambda change: change.revision):
        for change in together:
            if change.key == f"{show}/free":
                free = int(change.value or 0)
            elif change.value is None:
                guests.discard(change.key)
            else:
                guests.add(change.key)
        if free < 0 or free + len(guests) != seats:
            return f"{show} has {len(guests)} guests and {free} of {seats} free at {revision}"
    return None


def _otherwise(key: str, asks: Sequence[Asked], changes: Sequence[Change]) -> str | None:
    """What a guest was told otherwise than it is in the log."""
    happened = [FREED if change.value is None else TAKEN for change in changes if change.key == key]
    known: list[str] = []
    open_ends: list[str] = []
    for ask in asks:
        has_one = known[-1:] == [TAKEN]
        step = TAKEN if ask.f == "seats_take" else FREED
        if ask.is_unknown:
            open_ends.append(step)
        elif open_ends or not ask.is_ok:
            continue  # what comes after an unknown one tells nothing for sure
        elif step is TAKEN and ask.result["seated"] is not has_one:
            if has_one:
                return f"was turned away (event {ask.ended_index}), and has a seat"
            known.append(TAKEN)
        elif step is FREED and ask.result["freed"]:
            known.append(FREED)
        elif step is FREED and has_one:
            return f"was told that it has no seat (event {ask.ended_index}), and has one"
    if happened[: len(known)] != known or len(happened) > len(known) + len(open_ends):
        return f"was told {known or 'nothing'}, and the log has {happened or 'nothing'}"
    return None
