"""Keys, leases, history and outcomes of a pretended cluster: a dictionary, and no more rules than
the client's tests need. What it does not know, it refuses as UNIMPLEMENTED.
"""

import operator
import threading

import grpc
from fake_answers import deny
from fake_locks import FakeLocks

from kvraft.v1 import kv_pb2, watch_pb2

COMPARE = {
    kv_pb2.OPERATOR_EQUAL: operator.eq,
    kv_pb2.OPERATOR_NOT_EQUAL: operator.ne,
    kv_pb2.OPERATOR_LESS: operator.lt,
    kv_pb2.OPERATOR_GREATER: operator.gt,
}


class FakeStore:
    """All of it; `lock` guards all of it, and `changed` tells watchers."""

    def __init__(self):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.revision = 1
        self.compacted = 0
        self.term = 1
        self.cluster_id = 7
        self.leader = "n1"
        self.entries = {}
        self.events = []
        self.leases = {}
        self.invariants = {}
        self.page = 3
        self.sessions = set()
        self.next_session = 1
        self.window = 1_024
        self.outcomes = {}
        self.omit_replies = False
        self.guards = {}
        self.contention = {}
        self.locks = FakeLocks(self)

    # -- writes

    def put(self, key, value, lease_id=0):
        self.revision += 1
        return self._write(key, value, lease_id)

    def _write(self, key, value, lease_id=0):
        old = self.entries.get(key)
        entry = kv_pb2.Entry(
            key=key,
            value=value,
            mod_revision=self.revision,
            create_revision=old.create_revision if old else self.revision,
            version=old.version + 1 if old else 1,
            lease_id=lease_id,
        )
        self.entries[key] = entry
        self._tell(watch_pb2.EVENT_TYPE_PUT, entry, old)
        return entry

    def delete(self, request):
        keys = [request.key] if request.WhichOneof("target") == "key" else self.select(request)
        keys = [key for key in keys if key in self.entries]
        self.revision += bool(keys)
        for key in keys:
            self._remove(key)
        return len(keys)

    def _remove(self, key):
        gone = kv_pb2.Entry(key=key, mod_revision=self.revision)
        self._tell(watch_pb2.EVENT_TYPE_DELETE, gone, self.entries.pop(key))

    def _tell(self, kind, entry, previous):
        event = watch_pb2.Event(
            type=kind, cause=watch_pb2.CAUSE_REQUEST, entry=entry, previous=previous
        )
        self.events.append(event)
        with self.changed:
            self.changed.notify_all()

    def update(self, request, context):
        self.revision += 1
        return self._update(request, context)

    def _update(self, request, context):
        for action in request.actions:
            old = self.entries.get(request.key)
            value = old.value if old else None
            kind = action.WhichOneof("kind")
            if kind == "set":
                value = action.set
            elif kind == "add":
                value = b"%d" % (int(value or 0) + action.add)
            elif kind == "append":
                value = (value or b"") + action.append
            elif kind == "set_if_absent":
                value = action.set_if_absent if value is None else value
            else:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"no {kind} here")
            if old is None or value != old.value:
                self._write(request.key, value)
        return self.entries.get(request.key)

    def operate(self, operations, context):
        self.revision += any(each.WhichOneof("kind") not in ("get", "list") for each in operations)
        return [self._operate(each, context) for each in operations]

    def _operate(self, operation, context):
        kind = operation.WhichOneof("kind")
        one = getattr(operation, kind)
        if kind == "get":
            return kv_pb2.OperationResult(get=kv_pb2.GetResult(entry=self.entries.get(one.key)))
        if kind == "list":
            entries = [self.entries[key] for key in self.select(one)]
            return kv_pb2.OperationResult(list=kv_pb2.ListResult(entries=entries))
        if kind == "put":
            entry = self._write(one.key, one.value, one.lease_id)
            return kv_pb2.OperationResult(put=kv_pb2.PutResult(entry=entry))
        if kind == "update":
            previous = self.entries.get(one.key)
            entry = self._update(one, context)
            result = kv_pb2.UpdateResult(entry=entry, previous=previous)
            return kv_pb2.OperationResult(update=result)
        if kind == "delete" and one.WhichOneof("target") == "key":
            there = one.key in self.entries
            if there:
                self._remove(one.key)
            return kv_pb2.OperationResult(delete=kv_pb2.DeleteResult(deleted=int(there)))
        return context.abort(grpc.StatusCode.UNIMPLEMENTED, f"no {kind} here")

    # -- reads

    def select(self, request, entries=None):
        entries = self.entries if entries is None else entries
        if request.WhichOneof("target") == "prefix":
            return sorted(key for key in entries if key.startswith(request.prefix))
        start, end = request.range.start, request.range.end
        bounded = request.range.HasField("end")
        return sorted(key for key in entries if key >= start and (not bounded or key < end))

    def at(self, request, context):
        """The entries that a read sees, now or at its revision."""
        if not request.HasField("revision"):
            return self.entries
        if request.revision < self.compacted:
            deny(grpc.StatusCode.OUT_OF_RANGE, "COMPACTED", oldest_revision=self.compacted)(
                request, context
            )
        found = {}
        for event in self.events:
            if event.entry.mod_revision <= request.revision:
                found[event.entry.key] = event.entry
                if event.type == watch_pb2.EVENT_TYPE_DELETE:
                    del found[event.entry.key]
        return found

    # -- conditions

    def unmet(self, request):
        """Why the condition of a request is false; None: it has none, or it is true."""
        if not request.HasField("condition"):
            return None
        false, keys = [], {}
        if self._holds(request.condition, false, keys):
            return None
        entries = [self.entries[key] for key in keys if key in self.entries]
        return kv_pb2.Unmet(clause=false[0] if false else 0, entries=entries)

    def _holds(self, condition, false, keys):
        kind = condition.WhichOneof("kind")
        if kind in ("all", "any"):
            parts = [self._holds(part, false, keys) for part in getattr(condition, kind).parts]
            return all(parts) if kind == "all" else any(parts)
        if kind == "not":
            return not self._holds(getattr(condition, "not"), [], keys)
        index = keys.setdefault(None, 0)
        keys[None] = index + 1
        clause = condition.clause
        keys.setdefault(clause.key, None)
        holds = self._compare(clause)
        if not holds:
            false.append(index)
        return holds

    def _compare(self, clause):
        entry = self.entries.get(clause.key)
        operand = getattr(clause.operands[0], clause.operands[0].WhichOneof("value"))
        if clause.target == kv_pb2.TARGET_FENCE:
            held = self.locks.holds(clause.key, operand)
            return held == (clause.operator == kv_pb2.OPERATOR_EQUAL)
        if clause.target == kv_pb2.TARGET_COUNT:
            left = sum(key.startswith(clause.key) for key in self.entries)
        elif clause.target == kv_pb2.TARGET_EXISTS:
            left = entry is not None
        elif entry is None:
            return clause.operator == kv_pb2.OPERATOR_NOT_EQUAL
        elif clause.target == kv_pb2.TARGET_NUMBER:
            left = int(entry.value)
        else:
            left = entry.value if isinstance(operand, bytes) else entry.mod_revision
        return COMPARE[clause.operator](left, operand)

    # -- exactly once

    def once(self, request, context, default):
        """Answer a mutation by what its identity was answered before, where there is such."""
        self.locks.check_fences(request, context)
        kind = request.DESCRIPTOR
        if kind.name == "ResolveRequest" or "identity" not in kind.fields_by_name:
            return default()
        if not request.HasField("identity"):
            return default()
        identity = name_of(request.identity)
        self.check_session(request.identity, request, context)
        plain = type(request).FromString(request.SerializeToString())
        plain.ClearField("identity")
        asked, answer = self.outcomes.get(identity, (plain, None))
        if asked != plain:
            reason = "ABANDONED" if asked is None else "KEY_REUSED"
            deny(grpc.StatusCode.FAILED_PRECONDITION, reason)(request, context)
        if answer is None:
            answer = default()
            self.outcomes[identity] = (plain, answer)
            return answer
        again = type(answer).FromString(answer.SerializeToString())
        if self.omit_replies:
            again = outlined(again)
            again.header.reply_omitted = True
        again.header.replayed = True
        return again

    def check_session(self, identity, request, context):
        """Refuse what comes in a session that is not there."""
        if identity.WhichOneof("kind") != "session":
            return
        if identity.session.session_id not in self.sessions:
            deny(grpc.StatusCode.FAILED_PRECONDITION, "SESSION_EXPIRED", "UNKNOWN")(
                request, context
            )


def outlined(answer):
    """The same reply without values, and without what is many."""
    kept = type(answer).FromString(answer.SerializeToString())
    told = {field.name for field, _ in kept.ListFields()}
    for name in told & {"entry", "previous"}:
        getattr(kept, name).ClearField("value")
        getattr(kept, name).value_omitted = True
    if "unmet" in told:
        kept.unmet.ClearField("entries")
    if "results" in told:
        kept.ClearField("results")
    return kept


def name_of(identity):
    """What an identity is known by."""
    if identity.WhichOneof("kind") == "session":
        return identity.session.session_id, identity.session.sequence
    return identity.idempotency_key
