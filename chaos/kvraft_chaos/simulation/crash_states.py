"""Every state a crash can leave a disk in, enumerated around real storage code, each reopened.

Before every I/O step of a workload the disk is copied. Each copy is killed, or loses power in
several ways, and is opened again; what is found must agree with what had been promised by then.
What an opening reports is promised too, so the power then goes once more. From some of the states
the workload goes on, so that crashes during and after a recovery are met as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self

from kvraft.storage.errors import StorageError
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.disk import SimulatedDisk, Step
from kvraft_chaos.simulation.page_cache import Loss

LOSSES = (
    *(Loss.EVERYTHING, Loss.NOTHING),
    *(Loss.PREFIX,) * 3,
    *(Loss.SUBSET,) * 4,
    *(None,) * 2,  # each file and directory its own
)
"""The ways in which each disk loses power; the random ones several times."""
DEEPER = 0.02
"""Share of the states from which the workload goes on, a level."""


class Subject(Protocol):
    """A piece of storage at work, and what it has promised."""

    def copy(self) -> Self:
        """What is promised at this moment."""

    def check(self, disk: SimulatedDisk) -> None:
        """Open, compare with what was promised, and count as promised what was found."""

    def work(self, disk: SimulatedDisk, chance: Chance) -> None:
        """Do `check`, then go on promising."""


class Violation(AssertionError):  # noqa: N818 - it is a verdict on the code under test
    """A promise was broken, or a state that a mere crash produced was refused."""


@dataclass(frozen=True, slots=True)
class State:
    """A disk as a crash left it, how, and what it must hold."""

    disk: SimulatedDisk
    promised: Subject
    story: str


class Explorer:
    """Enumerates crash states; counts them in `states`, raises Violation at the first bad one."""

    def __init__(self, seed: int, *, deeper: float = DEEPER) -> None:
        self._chance = Chance(seed, "crash states")
        self._deeper = deeper
        self.states = 0

    def explore(self, subject: Subject, *, depth: int) -> None:
        """All states of one workload on an empty disk; `depth` further levels from some."""
        self._explore(State(SimulatedDisk(), subject, "empty disk"), depth)

    def fail_each_step(
        self, new_subject: Callable[[], Subject], fail: Callable[[Step], StorageError]
    ) -> None:
        """Run one workload again and again, each time with another step failing.

        The process stops then, as a node does. Another finds the page cache as it was; later the
        power goes.
        """
        schedule = self._chance.below(1 << 53)
        number, failed = 0, True
        while failed:
            number += 1
            disk, subject = SimulatedDisk(), new_subject()
            failed = _fails(disk, subject, number, fail, Chance(schedule, "failing steps"))
            story = f"step {number} failed"
            for loss in (None, *LOSSES):
                state = State(disk.clone(), subject.copy(), f"{story}; {loss}")
                if loss:
                    state.disk.power_loss(self._chance, loss)
                self._check(state)
                state.disk.power_loss(self._chance, Loss.EVERYTHING)
                self._check(State(state.disk, state.promised, f"{story}, opened, all lost"))

    def _explore(self, start: State, depth: int) -> None:
        for state in self._crashes(start):
            if depth and self._chance.happens(self._deeper):
                self._explore(
                    State(state.disk.clone(), state.promised.copy(), state.story), depth - 1
                )
            self._check(state)
            state.disk.power_loss(self._chance, Loss.EVERYTHING)
            self._check(State(state.disk, state.promised, f"{state.story}, opened, all lost"))

    def _crashes(self, start: State) -> Iterator[State]:
        disk, subject = start.disk, start.promised
        points: list[tuple[Step | None, SimulatedDisk, Subject]] = []

        def remember(step: Step) -> None:
            points.append((step, disk.clone(), subject.copy()))

        disk.on_step = remember
        with _told(start.story):
            subject.work(disk, self._chance)
        points.append((None, disk, subject))
        for step, before, promised in points:
            yield from self._variants(step, before, promised, start.story)

    def _variants(
        self, step: Step | None, before: SimulatedDisk, promised: Subject, story: str
    ) -> Iterator[State]:
        where = f"{step.operation} of {step.path}" if step else "the end"
        yield State(before.clone(), promised.copy(), f"{story}; killed before {where}")
        if step and step.operation == "write":
            torn = before.clone()
            written = self._chance.below(len(step.data) + 1)
            torn.append(step.path).write(step.data[:written])
            yield State(torn, promised.copy(), f"{story}; killed at byte {written} in {where}")
        for loss in LOSSES:
            lost = before.clone()
            lost.power_loss(self._chance, loss)
            how = loss.value if loss else "of each its own part"
            yield State(lost, promised.copy(), f"{story}; power loss before {where} ({how})")

    def _check(self, state: State) -> None:
        self.states += 1
        with _told(state.story):
            state.promised.check(state.disk)


def _fails(
    disk: SimulatedDisk,
    subject: Subject,
    number: int,
    fail: Callable[[Step], StorageError],
    chance: Chance,
) -> bool:
    """Whether the workload had as many steps as that, and so ended with the failure."""

    def fail_at(step: Step) -> None:
        if step.number == number:
            raise fail(step)

    disk.on_step = fail_at
    try:
        subject.work(disk, chance)
    except StorageError:
        return True
    finally:
        disk.on_step = None
    return False


class _told:  # noqa: N801 - reads as a word at the `with`
    """Put the story before an error that comes out."""

    def __init__(self, story: str) -> None:
        self._story = story

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, AssertionError | StorageError) and not isinstance(error, Violation):
            raise Violation(f"{self._story}: {error!r}") from error
