"""Scripted schedules: each gives findings: none with every guard on, a named one without."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from kvraft.consensus import wire
from kvraft.consensus.messages import Message
from kvraft.consensus.switches import Switches
from kvraft_chaos.simulation.ledger import Ledger
from kvraft_chaos.simulation.page_cache import Loss
from kvraft_chaos.simulation.process import Process, Settings
from kvraft_chaos.simulation.world import World

Findings = set[str]
Play = Callable[[World], Findings]
M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class Schedule:
    """One script, and which finding each guard keeps away."""

    name: str
    play: Play
    rows: str
    """Of the gap table in the research, or the rule of the review, that it covers."""
    size: int = 3
    settings: Settings = field(default_factory=Settings)
    guards: Mapping[str, str] = field(default_factory=dict)
    """Switches (joined by +) that are off together: the finding that must then show."""
    seeds: tuple[int, ...] = (0,)

    def run(self, off: str = "", seed: int = 0) -> Findings:
        """Play it with the guards in `off` switched off."""
        switches = replace(Switches(), **dict.fromkeys(off.split("+"), False)) if off else None
        settings = replace(self.settings, switches=switches or Switches())
        with World(self.size, seed, settings) as world:
            found = self.play(world)
            return found | set(world.violations)


SCHEDULES: dict[str, Schedule] = {}


def schedule(
    rows: str,
    *,
    size: int = 3,
    settings: Settings | None = None,
    guards: Mapping[str, str] | None = None,
    seeds: tuple[int, ...] = (0,),
) -> Callable[[Play], Play]:
    """Register a script."""

    def register(play: Play) -> Play:
        name = getattr(play, "__name__")  # noqa: B009 - a callable need not have one
        assert name not in SCHEDULES, name
        SCHEDULES[name] = Schedule(
            name, play, rows, size, settings or Settings(), guards or {}, seeds
        )
        return play

    return register


def findings(**bad: object) -> Findings:
    """The names of the facts that are so and should not be."""
    return {name.replace("_", "-") for name, fact in bad.items() if fact}


def decoded(messages: Iterable[bytes], kind: type[M]) -> list[M]:
    """The messages of one kind."""
    return [m for m in map(wire.decode, messages) if isinstance(m, kind)]


def arrivals(world: World, source: str, target: str) -> list[bytes]:
    """A list that fills with what arrives on a link from now on."""
    seen: list[bytes] = []

    def tap(a: str, b: str, message: bytes) -> None:
        if (a, b) == (source, target):
            seen.append(message)

    world.network.streams.taps.append(tap)
    return seen


def inject(world: World, source: str, target: str, message: bytes) -> None:
    """Let a message arrive (again), whatever the network thinks of it."""
    node = world[target]
    node.post(lambda: node.engine().on_message(source, message))


def lose_unsynced(world: World, *names: str) -> None:
    """Power loss in which nothing that was not fsynced survives."""
    for name in names:
        world[name].crash(power=True, loss=Loss.EVERYTHING)


def process(world: World, name: str) -> Process:
    """The process of a node that runs."""
    found = world[name].process
    assert found is not None, f"{name} is down"
    return found


def ledger(world: World, name: str) -> Ledger:
    """The small application of a node that runs."""
    found = world[name].ledger
    assert isinstance(found, Ledger)
    return found


def leader(world: World) -> str:
    """The name of the leader of the newest term; there must be one."""
    found = world.leader()
    assert found is not None, world.summary()
    return found
