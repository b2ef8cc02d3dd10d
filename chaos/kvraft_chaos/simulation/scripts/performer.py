"""Performs the calls of a script in the simulated world, and says what became of each.

As `workloads.perform` does on a real cluster: a mutation goes out in a session and is repeated
until it is answered or time is up; what is unknown then is asked about once.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from kvraft.core.commands import Acquire, Fence, LeaseKeepAlive, Release
from kvraft.core.errors import Reason
from kvraft.core.invariants import prefix_end
from kvraft.core.machine import StateMachine
from kvraft.core.results import LeaseResult, ReleaseResult
from kvraft_chaos.simulation.account import Account
from kvraft_chaos.simulation.client_process import Answered, ClientProcess, Failed, view
from kvraft_chaos.simulation.lock_holder import Held, LockHolder, LockNotebook
from kvraft_chaos.simulation.scripts import answers
from kvraft_chaos.simulation.scripts.commands import CHANGES, LIST_ENTRIES, change_of, key_of
from kvraft_chaos.simulation.scripts.followed import FollowedWatch
from kvraft_chaos.simulation.sending import Doubt, Sending
from kvraft_chaos.workloads.deed import CALL_SECONDS
from kvraft_chaos.workloads.script import Answer, Call
from kvraft_client.policy.failure import Effect

LIST_BYTES = 1 << 30
"""Of one list: all of it."""
RELEASE_SECONDS = 1.0
"""For the answer to a release: who waits for the lock sees its end anyway."""
LOG_SECONDS = 60.0
"""For a whole history."""
FIRST_REVISION = 2
"""Of the first change: an empty store is at 1."""
END = Call("put", "log-end", {"value": ""})
"""Written first: whoever has read up to it has read all that was acknowledged before the call."""
STREAMED = 0.7
"""Share of the acquisitions that are followed on a stream; the others ask again."""


class Performer:
    """The calls of one client, in one life of it."""

    def __init__(
        self,
        process: ClientProcess,
        account: Account,
        sending: Sending,
        holder: LockHolder,
        acquisitions: LockNotebook,
    ) -> None:
        """`acquisitions`: of the holder; what stands there is not known to be over."""
        self._process = process
        self._account = account
        self._sending = sending
        self._holder = holder
        self._acquisitions = acquisitions
        self._asked = 0
        self._held: dict[tuple[bytes, int], Held] = {}
        self._watches: dict[str, FollowedWatch] = {}
        self._deeds: Mapping[str, Callable[[Call], Awaitable[Answer]]] = {
            **dict.fromkeys(CHANGES, self._change),
            "get": self._get,
            "list": self._list,
            "log": self._log,
            "watch": self._watch,
            "keep_alive": self._keep_alive,
            "acquire": self._acquire,
            "hold": self._hold,
            "release": self._release,
            "check_fence": self._check_fence,
            "pause": self._pause,
        }

    async def perform(self, call: Call) -> Answer:
        """Do it. A read that gives no answer has failed: it had no effect in any case."""
        deed = self._deeds.get(call.f)
        if deed is None:
            raise ValueError(f"nobody performs {call.f!r}: one of {', '.join(sorted(self._deeds))}")
        return await deed(call)

    # -- keys

    async def _change(self, call: Call) -> Answer:
        change = change_of(call)
        came = await self._sending.next_in_session(
            change.mutation, None, CALL_SECONDS, change.fences
        )
        match came:
            case Answered():
                return answers.told(came.reply.value)
            case Failed():
                return answers.failed(came.failure)
            case Doubt():
                said = await self._sending.resolve(came)
                return Answer("info", error="unknown") if said is None else answers.resolved(said)
        return Answer("fail", error="no session in time")

    async def _get(self, call: Call) -> Answer:
        return await self._read(call, partial(_got, key_of(call)))

    async def _list(self, call: Call) -> Answer:
        revision = (call.argument or {}).get("revision")
        return await self._read(call, partial(_listed, key_of(call), revision))

    async def _check_fence(self, call: Call) -> Answer:
        return await self._read(call, partial(_checked, key_of(call), call.argument["token"]))

    async def _read(self, call: Call, look: Callable[[StateMachine], Answer]) -> Answer:
        asked = self._account.chronicle.moment()
        came = await self._process.call(Effect.READ, view(look), CALL_SECONDS)
        if isinstance(came, Failed):
            return answers.failed(came.failure)
        self._account.read(f"{call.f} of {call.key}", came.reply.index, asked)
        return came.reply.value

    # -- what the store tells by itself

    async def _log(self, call: Call) -> Answer:
        end = await self._change(END)
        if not end.ok:
            return Answer("fail", error=end.error)
        last, prefix = end.result["mod_revision"], call.key or ""
        name = f"{self._process.name} log"
        watch = FollowedWatch(self._process, name, "", FIRST_REVISION)
        await watch.wait(0, last, LOG_SECONDS)
        watch.close()
        if watch.ended is not None:
            return answers.failed(watch.ended)
        if (watch.through or 0) < last:
            return Answer("fail", error=f"not read within {LOG_SECONDS:g} s")
        rows = [each for each in watch.take() if str(each[1]).startswith(prefix)]
        return Answer("ok", [each for each in rows if each[1] != END.key])

    async def _watch(self, call: Call) -> Answer:
        prefix, argument = call.key or "", call.argument
        begins, watch = argument["from"], self._watches.get(prefix)
        if watch is None or argument.get("anew") or watch.next_revision != begins:
            if watch is not None:
                watch.close()
            name = f"{self._process.name} {prefix}"
            watch = FollowedWatch(self._process, name, prefix, begins)
            self._watches[prefix] = watch
        await watch.wait(argument["events"], argument.get("until"), argument["ms"] / 1_000)
        if watch.ended is not None or watch.from_revision is None:
            self._watches.pop(prefix).close()
            reason = "it did not begin in time" if watch.ended is None else watch.ended.message
            return Answer("fail", error=reason)
        first = watch.from_revision if begins is None else begins
        said = {"from": first, "events": watch.take(), "through": watch.through}
        return Answer("ok", said)

    # -- leases and locks

    async def _keep_alive(self, call: Call) -> Answer:
        renewal = LeaseKeepAlive(call.argument["lease_id"])
        sent = await self._sending.plainly(renewal, Effect.REPEATABLE, CALL_SECONDS)
        if sent is None:
            return Answer("info", error="unknown")
        return Answer("ok", {"alive": isinstance(sent.result, LeaseResult)})

    async def _acquire(self, call: Call) -> Answer:
        argument, name = call.argument, key_of(call)
        self._asked += 1
        command = Acquire(
            f"{self._process.name}/{self._process.now():.6f}/{self._asked}".encode(),
            (name,),
            lease_id=argument.get("lease_id"),
            ttl_ms=argument.get("ttl_ms"),
            wait_ms=argument["wait_ms"],
        )
        patience = argument["wait_ms"] / 1_000 + CALL_SECONDS
        streamed = self._process.chance.happens(STREAMED)
        held = await self._holder.acquire(command, patience, streamed=streamed)
        if held is not None and self._counted_on(held) is not False:
            (fence,) = held.fences
            self._held[name, fence.token] = held
            return Answer("ok", {"token": fence.token})
        if command.key in self._acquisitions.open:  # it may still come to hold
            await self._holder.release(command)
        is_over = command.key not in self._acquisitions.open
        return Answer("fail" if is_over else "info", error="not had in time")

    async def _hold(self, call: Call) -> Answer:
        await self._sleep(call.argument["ms"])
        held = self._held.get((key_of(call), call.argument["token"]))
        return Answer("ok", {"held": False if held is None else self._counted_on(held)})

    async def _release(self, call: Call) -> Answer:
        name, token = key_of(call), call.argument["token"]
        held = self._held.pop((name, token), None)
        counted_on = False if held is None else self._counted_on(held)
        is_own = held is not None and held.command.ttl_ms is not None
        release = Release(fence=Fence(name, token), end_lease=is_own)
        sent = await self._sending.plainly(release, Effect.REPEATABLE, RELEASE_SECONDS)
        released: bool | None = None
        if sent is not None and isinstance(sent.result, ReleaseResult):
            released = sent.result.released
        if held is not None:
            self._acquisitions.open.pop(held.command.key, None)
            self._holder.neglect(held.lease_id)  # where nobody answered, it ends with its lease
        return Answer("ok", {"held": counted_on, "released": released})

    def _counted_on(self, held: Held) -> bool | None:
        """By the client's own clock; None: the lease is the script's, which has none."""
        own = held.command.ttl_ms is not None
        return self._holder.counts_on(held.lease_id) if own else None

    async def _pause(self, call: Call) -> Answer:
        await self._sleep(call.argument["ms"])
        return Answer("ok", {})

    async def _sleep(self, ms: int) -> None:
        """In true time: that is what the history's clock shows."""
        await self._process.sleep(ms / 1_000 * self._process.clock.rate)


# -- what is read, in the turn in which it may be


def _got(key: bytes, machine: StateMachine) -> Answer:
    return answers.read(machine.get(key))


def _checked(name: bytes, token: int, machine: StateMachine) -> Answer:
    return Answer("ok", {"held": machine.holds(name, token)})


def _listed(prefix: bytes, revision: int | None, machine: StateMachine) -> Answer:
    end, now = prefix_end(prefix), machine.revision
    if revision is None or revision == now:
        return answers.read(machine.page(prefix, end, limit=LIST_ENTRIES, max_bytes=LIST_BYTES))
    if not machine.compacted_revision <= revision < now:
        return answers.read(Reason.FUTURE if revision > now else Reason.COMPACTED)
    page = machine.page_at(prefix, end, revision, limit=LIST_ENTRIES, max_bytes=LIST_BYTES)
    return answers.read(page)
