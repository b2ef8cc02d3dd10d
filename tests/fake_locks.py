"""The lock service of a fake node: one queue for each lock, and no more rules than tests need."""
# ruff: noqa: N802 - gRPC gives the methods of a servicer their names

import time

import grpc
from fake_answers import deny

from kvraft.v1 import kv_pb2, lock_pb2
from kvraft.v1.lock_pb2_grpc import LockServiceServicer


class Place:
    """One acquisition: it waits, or holds with a token for each name."""

    def __init__(self, number, request, lease_id):
        self.number, self.request, self.lease_id = number, request, lease_id
        self.tokens = {}
        self.confirmed = False
        self.deadline = None
        if request.HasField("wait_ms"):
            self.deadline = time.monotonic() + request.wait_ms / 1000


class FakeLocks:
    """All places, in order. Guarded by the store's lock."""

    def __init__(self, store):
        self.store = store
        self.places = []
        self.ended = {}
        self.numbers = self.tokens = 40
        self.attached = True
        """False: nobody takes note of a stream that was cancelled."""
        self.silent = False
        """True: who waits hears nothing."""

    def find(self, key):
        return next((each for each in self.places if each.request.key == key), None)

    def reap(self):
        """End what its lease, or its wait, has ended; then hand over."""
        now = time.monotonic()
        for each in list(self.places):
            if each.lease_id not in self.store.leases:
                self.end(each, lock_pb2.ACQUISITION_END_LEASE_EXPIRED)
            elif not each.tokens and each.deadline is not None and each.deadline <= now:
                self.end(each, lock_pb2.ACQUISITION_END_TIMED_OUT)
        self.grant()

    def end(self, place, ending):
        self.places.remove(place)
        self.ended[place.request.key] = ending
        if place.request.WhichOneof("carrier") == "ttl_ms":
            self.store.leases.pop(place.lease_id, None)
        self.grant()

    def grant(self):
        for place in self.places:
            if not place.tokens and all(self._free(name, place) for name in place.request.names):
                for name in sorted(place.request.names):
                    self.tokens += 1
                    place.tokens[name] = self.tokens
        self.store.revision += 1
        self.store.changed.notify_all()

    def _free(self, name, place):
        ahead = [e for e in self.places if name in e.request.names and e.number < place.number]
        if place.request.mode == lock_pb2.LOCK_MODE_COUNTED:
            return len(ahead) < place.request.capacity
        shared = lock_pb2.LOCK_MODE_SHARED
        return all(place.request.mode == e.request.mode == shared for e in ahead)

    def holds(self, name, token):
        self.reap()
        return any(each.tokens.get(name) == token for each in self.places)

    def check_fences(self, request, context):
        for fence in getattr(request, "fences", ()):
            if not self.holds(fence.lock, fence.token):
                text = f"nobody holds {fence.lock!r} with {fence.token}"
                deny(grpc.StatusCode.FAILED_PRECONDITION, "STALE_FENCE", message=text)(
                    request, context
                )

    def enter(self, request, context):
        """Take a place, or find it; return the standing."""
        self.reap()
        known = self.find(request.key)
        if known is None and request.key not in self.ended:
            self._refuse(request, context)
            lease_id = request.lease_id
            if request.WhichOneof("carrier") == "ttl_ms":
                lease_id = 500 + self.numbers
                self.store.leases[lease_id] = request.ttl_ms
            self.numbers += 1
            copy = lock_pb2.AcquireRequest.FromString(request.SerializeToString())
            self.places.append(Place(self.numbers, copy, lease_id))
            self.grant()
            self.reap()
        return self.standing(request.key)

    def _refuse(self, request, context):
        lease_id = request.lease_id
        if request.WhichOneof("carrier") == "lease_id" and lease_id not in self.store.leases:
            deny(grpc.StatusCode.NOT_FOUND, "LEASE_NOT_FOUND")(request, context)
        for each in self.places:
            same = set(each.request.names) & set(request.names)
            if same and request.owner and each.request.owner == request.owner:
                deny(grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_HELD")(request, context)

    def standing(self, key):
        self.reap()
        place = self.find(key)
        if place is None:
            return lock_pb2.AcquireResponse(ended=self.ended[key])
        if place.tokens:
            fences = [kv_pb2.Fence(lock=n, token=t) for n, t in sorted(place.tokens.items())]
            granted = lock_pb2.Granted(place=place.number, fences=fences, lease_id=place.lease_id)
            return lock_pb2.AcquireResponse(granted=granted)
        ahead = [e for e in self.places if e.number < place.number]
        holders = [token for each in ahead for token in each.tokens.values()]
        queued = lock_pb2.Queued(
            place=place.number, position=len(ahead), holders=holders, lease_id=place.lease_id
        )
        return lock_pb2.AcquireResponse(queued=queued)

    def release(self, request):
        self.reap()
        if request.WhichOneof("acquisition") == "key":
            place = self.find(request.key)
            if place is None:
                self.ended.setdefault(request.key, lock_pb2.ACQUISITION_END_RELEASED)
        else:
            wanted = request.fence
            held = [e for e in self.places if e.tokens.get(wanted.lock) == wanted.token]
            place = held[0] if held else None
        if place is None:
            return False
        if request.end_lease:
            self.store.leases.pop(place.lease_id, None)
        self.end(place, lock_pb2.ACQUISITION_END_RELEASED)
        return True

    def describe(self, name):
        self.reap()
        mine = [each for each in self.places if name in each.request.names]
        if not mine:
            return None
        shown = [
            lock_pb2.Place(
                place=each.number,
                owner=each.request.owner,
                lease_id=each.lease_id,
                mode=each.request.mode or lock_pb2.LOCK_MODE_EXCLUSIVE,
                token=each.tokens.get(name, 0),
                age_ms=1_500,
            )
            for each in mine
        ]
        holders = [each for each in shown if each.token]
        waiters = [each for each in shown if not each.token]
        return lock_pb2.LockDescription(
            name=name,
            capacity=max(1, mine[0].request.capacity),
            holders=holders,
            waiters=waiters,
            holder_count=len(holders),
            waiter_count=len(waiters),
        )


class LockView(LockServiceServicer):
    """Serves the store's locks; `script["AcquireStream"]` runs before a stream."""

    def __init__(self, node):
        self.node, self.store, self.locks = node, node.store, node.store.locks

    def AcquireOnce(self, request, context):
        """As a call of a pipeline, its first reply."""

        def answer():
            response = self.locks.enter(request, context)
            response.header.CopyFrom(self.node.header())
            return response

        return self.node.run("Acquire", request, context, answer)

    def Acquire(self, request, context):
        self.node.calls.append(("AcquireStream", request))
        if self.node.script["AcquireStream"]:
            self.node.script["AcquireStream"].pop(0)(request, context)
        yield from self.follow(request, context)

    def follow(self, request, context, last=None):
        """What is news after `last`, to the last one."""
        while True:
            with self.store.lock:
                response = self.locks.enter(request, context)
                if not context.is_active() or self.node.released.is_set():
                    place = self.locks.find(request.key)
                    if place is not None and not place.tokens and self.locks.attached:
                        self.locks.end(place, lock_pb2.ACQUISITION_END_RELEASED)
                    return
                if response == last or self.locks.silent:
                    self.store.changed.wait(0.02)
                    continue
            last = lock_pb2.AcquireResponse.FromString(response.SerializeToString())
            response.header.CopyFrom(self.node.header())
            yield response
            if last.WhichOneof("standing") != "queued":
                return

    def Confirm(self, request, context):
        def answer():
            self.locks.reap()
            place = self.locks.find(request.key)
            held = place is not None and bool(place.tokens)
            if held:
                place.confirmed = True
            return lock_pb2.ConfirmResponse(header=self.node.header(), held=held)

        return self.node.run("Confirm", request, context, answer)

    def Release(self, request, context):
        def answer():
            released = self.locks.release(request)
            return lock_pb2.ReleaseResponse(header=self.node.header(), released=released)

        return self.node.run("Release", request, context, answer)

    def CheckFence(self, request, context):
        def answer():
            held = self.locks.holds(request.fence.lock, request.fence.token)
            return lock_pb2.CheckFenceResponse(header=self.node.header(), held=held)

        return self.node.run("CheckFence", request, context, answer)

    def Describe(self, request, context):
        def answer():
            found = self.locks.describe(request.name)
            return lock_pb2.LockServiceDescribeResponse(header=self.node.header(), lock=found)

        return self.node.run("DescribeLock", request, context, answer)

    def List(self, request, context):
        def answer():
            self.locks.reap()
            names = {name for each in self.locks.places for name in each.request.names}
            names = sorted(n for n in names if n.startswith(request.prefix) and n > request.after)
            return lock_pb2.LockServiceListResponse(
                header=self.node.header(),
                locks=[self.locks.describe(name) for name in names[: self.store.page]],
                more=len(names) > self.store.page,
            )

        return self.node.run("ListLocks", request, context, answer)
