"""A lock hub with a real state, a log that a test moves on by hand, and a clock that it moves."""

from dataclasses import replace

from kvraft.core.commands import Acquire, Command, Entry, Release
from kvraft.core.errors import Outcome, Reason
from kvraft.core.machine import StateMachine
from kvraft.core.results import AcquireResult, Standing
from kvraft.replica.limits import ReplicaLimits
from kvraft.replica.lock_hub import LockHub
from kvraft.replica.lock_waiter import Waiter
from kvraft.replica.outcomes import Answer, Denied, Done

SMALL = replace(ReplicaLimits(), lock_streams=5, lock_wakes=2)
LOST = Denied(Reason.UNKNOWN_RESULT, Outcome.UNKNOWN, "lost")
REFUSED = Denied(Reason.NO_QUORUM, Outcome.NOT_APPLIED, "nobody")


def acquire(key: bytes, *names: bytes, **fields) -> Acquire:
    return Acquire(key, names or (b"l",), ttl_ms=60_000, **fields)


class LockDesk:
    """`log` applies what was submitted; unless `lags`, this node applies it in the same turn."""

    def __init__(self, limits: ReplicaLimits = SMALL) -> None:
        self.time = 50.0
        self.machine = StateMachine()
        self.elsewhere = self.machine
        """The leader's state; another one while this node lags."""
        self.behind: list[Entry] = []
        self.woken = 0
        self.waiting: list[tuple[Command, float, Done]] = []
        self.calls: list[int] = []
        self.hub = LockHub(self, limits, lambda: self.machine, self.submit)

    # -- doors

    def now(self) -> float:
        return self.time

    def wake(self) -> None:
        self.woken += 1

    def wake_in(self, seconds: float) -> None:
        raise AssertionError("polls are often enough")

    def submit(self, command: Command, deadline: float, done: Done) -> None:
        assert deadline > self.time
        self.waiting.append((command, deadline, done))

    # -- by hand

    def submitted(self) -> list[Command]:
        return [command for command, _, _ in self.waiting]

    def open(self, command: Acquire) -> Waiter:
        number = len(self.calls)
        self.calls.append(0)

        def on_news() -> None:
            self.calls[number] += 1

        opened = self.hub.acquire(command, self.time + 5, on_news)
        assert isinstance(opened, Waiter), opened
        return opened

    def begin(self, command: Acquire) -> Waiter:
        """Open a stream, and let its first answer come."""
        opened = self.open(command)
        self.log()
        return opened

    def log(self, *commands: Command, answer: bool = True) -> None:
        """Apply what waits, and `commands` of other nodes; one entry each."""
        waiting, self.waiting = self.waiting, []
        for command, _, done in waiting:
            done(self.apply(command)) if answer else self.apply(command)
        for command in commands:
            self.apply(command)

    def release_holder(self) -> None:
        self.apply(Release(key=b"holder"))
        self.tick()

    def ghosts(self) -> int:
        """How many wait for the lock."""
        found = self.machine.describe_lock(b"l", 10)
        return 0 if found is None else found.waiter_count

    def apply(self, *commands: Command) -> Answer:
        leader = self.elsewhere
        entry = Entry(int(self.time * 1000), commands)
        results = leader.apply(leader.index + 1, entry)
        if leader is self.machine:
            self.hub.feed(commands)
        else:
            self.behind.append(entry)
        return Answer(results[0] if results else None, leader.revision, leader.index)

    def lag(self) -> None:
        """Apply what is to come elsewhere only."""
        twin = StateMachine()
        assert self.machine.index == 0
        self.elsewhere = twin

    def catch_up(self) -> None:
        behind, self.behind = self.behind, []
        for entry in behind:
            self.machine.apply(self.machine.index + 1, entry)
            self.hub.feed(entry.commands)

    def deny(self, denied: Denied) -> None:
        """Answer so what was submitted."""
        waiting, self.waiting = self.waiting, []
        for _, _, done in waiting:
            done(denied)

    def wait(self) -> None:
        """Let more time pass than anything here takes, turn by turn."""
        for _ in range(40):
            self.tick(0.3)

    def tick(self, seconds: float = 0.0, *, is_led: bool = True) -> None:
        self.time += seconds
        self.hub.tick(self.now(), is_led=is_led)


def shown(standing: AcquireResult | None) -> tuple | None:
    """What a stream says, in short."""
    if standing is None:
        return None
    match standing.standing:
        case Standing.QUEUED:
            return ("queued", standing.position)
        case Standing.GRANTED:
            return ("granted", [(each.lock, each.token) for each in standing.fences])
        case Standing.ENDED:
            return ("ended", standing.ending)
