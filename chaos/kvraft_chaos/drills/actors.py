"""People of a drill who act at the same time, each in a thread of its own."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Result = TypeVar("Result")

ACT_SECONDS = 30.0
"""Every call of a drill has a shorter deadline; longer means that it hangs."""


def together(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Call all at the same time; what they returned, in order. The first error is raised.

    The threads are daemons: a drill that is stopped does not wait for them.
    """
    results: dict[int, Result] = {}
    errors: list[BaseException] = []

    def act(place: int, call: Callable[[], Result]) -> None:
        try:
            results[place] = call()
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            errors.append(error)

    threads = [threading.Thread(target=act, args=each, daemon=True) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ACT_SECONDS)
    if errors:
        raise errors[0]
    if len(results) < len(threads):
        raise TimeoutError(f"an actor did nothing for {ACT_SECONDS:g} s")
    return [results[place] for place in range(len(threads))]


def meeting(people: int) -> threading.Barrier:
    """Return where so many wait for each other: the unlucky moment, made certain."""
    return threading.Barrier(people, timeout=ACT_SECONDS)
