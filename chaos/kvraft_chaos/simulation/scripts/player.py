"""One client that plays a script on virtual time, and writes down what it asked and heard."""

from dataclasses import dataclass

from kvraft_chaos.history import Recorder
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.chance import Chance
from kvraft_chaos.simulation.client_process import ClientProcess
from kvraft_chaos.simulation.lease_watch import LeaseWatch
from kvraft_chaos.simulation.lock_holder import LockHolder, LockNotebook
from kvraft_chaos.simulation.lock_watch import LockWatch
from kvraft_chaos.simulation.scripts.performer import Performer
from kvraft_chaos.simulation.sending import Notebook, Sending
from kvraft_chaos.simulation.world import World
from kvraft_chaos.workloads.script import Answer, Call, Script

PAUSE = (0.0, 0.08)
"""Seconds between two calls."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What all players of a run share."""

    world: World
    seed: int
    recorder: Recorder
    account: Account
    locks: LockWatch
    leases: LeaseWatch


class Player:
    """A client in all its lives: it dies with its locks and watches, its script goes on."""

    def __init__(self, stage: Stage, name: str, script: Script) -> None:
        self.name = name
        self.over = False
        """Whether it asks nothing any more."""
        self._stage = stage
        self._script = script
        self._lives = 0
        self._alive = False
        self._number = stage.recorder.process()
        """In the history: after an unknown outcome it goes on as a new process, for the operation
        of the old one may still take effect."""
        self._open: Call | None = None
        self._answer: Answer | None = None
        """To the last call; None: there was none."""
        self._stopped = False
        stage.world.front.add_client(name)

    def live(self) -> None:
        """Begin, or go on after a death where the script was."""
        if self._stopped:
            self.over = True
            return
        self._alive = True
        self._lives += 1
        stage, world = self._stage, self._stage.world
        chance = Chance(stage.seed, f"player {self.name} {self._lives}")
        self._process = ClientProcess(self.name, world.scheduler, world.front, chance)
        window = world.settings.bounds.apply.session_window
        self._sending = Sending(
            self._process, stage.account, Notebook(), now=lambda: world.now, window=window
        )
        acquisitions = LockNotebook()
        watches = stage.locks, stage.leases
        self._holder = LockHolder(self._process, self._sending, acquisitions, watches)
        performer = Performer(
            self._process, stage.account, self._sending, self._holder, acquisitions
        )
        self._process.begin(self._play(performer))

    def stop(self) -> None:
        """Ask nothing new; the call that is under way may finish."""
        self._stopped = True

    def crash(self, seconds: float) -> bool:
        """As by kill -9, back after so many seconds; False: there was nobody to kill."""
        if self.over or not self._alive:
            return False
        self._alive = False
        self._process.kill()
        self._holder.crash()
        self._stage.account.crash(self._sending.crash())
        if self._open is not None:
            self._complete(self._open, Answer("info", error="the client died"))
        self._stage.world.scheduler.after(seconds, self.live)
        return True

    async def _play(self, performer: Performer) -> None:
        while not self._stopped:
            try:
                call = self._next_call()
            except StopIteration:
                break
            self._open = call
            self._stage.recorder.record(
                self._number, "invoke", call.f, key=call.key, value=call.argument
            )
            self._complete(call, await performer.perform(call))
            await self._process.sleep(self._process.chance.between(*PAUSE))
        self.over = True

    def _next_call(self) -> Call:
        answer = self._answer
        return next(self._script) if answer is None else self._script.send(answer)

    def _complete(self, call: Call, answer: Answer) -> None:
        self._open, self._answer = None, answer
        self._stage.recorder.record(
            self._number,
            answer.type,
            call.f,
            key=call.key,
            value=answer.result,
            error=answer.error,
        )
        if answer.type == "info":
            self._number = self._stage.recorder.process()
