"""A node that answers what a test scripts, over real gRPC; by default, from a dictionary.

It is no cluster: several nodes may share one `FakeStore`, and nobody replicates anything.
"""
# ruff: noqa: N802 - gRPC gives the methods of a servicer their names

import threading
from collections import defaultdict
from concurrent import futures

import grpc
from fake_answers import NO_QUORUM, bare, deny, lost
from fake_locks import LockView
from fake_pipeline import PipelineView
from fake_sessions import SessionView
from fake_store import FakeStore
from fake_watch import WatchView

from kvraft.v1 import cluster_pb2, kv_pb2, lease_pb2
from kvraft.v1.cluster_pb2_grpc import ClusterServiceServicer, add_ClusterServiceServicer_to_server
from kvraft.v1.kv_pb2_grpc import KVServiceServicer, add_KVServiceServicer_to_server
from kvraft.v1.lease_pb2_grpc import LeaseServiceServicer, add_LeaseServiceServicer_to_server
from kvraft.v1.lock_pb2_grpc import add_LockServiceServicer_to_server
from kvraft.v1.session_pb2_grpc import add_SessionServiceServicer_to_server
from kvraft.v1.watch_pb2_grpc import add_WatchServiceServicer_to_server

__all__ = ["NO_QUORUM", "FakeNode", "FakeStore", "bare", "deny", "lost"]


class FakeNode(KVServiceServicer, LeaseServiceServicer, ClusterServiceServicer):
    """One server. `script[method]` is a list of actions, each used once, before the default."""

    def __init__(
        self, name="n1", store=None, port=0, credentials=None, pipeline=True, follows=True
    ):
        self.name = name
        self.store = store or FakeStore()
        self.script = defaultdict(list)
        self.calls = []
        self.released = threading.Event()
        leases, sessions, locks = _LeaseView(self), SessionView(self), LockView(self)
        self.streams = 0
        """Pipelines that were begun."""
        self.pipeline = None
        if pipeline:
            views = {"keys": self, "leases": leases, "sessions": sessions, "locks": locks}
            self.pipeline = PipelineView(follows=follows, **views)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(80), options=[("grpc.so_reuseport", 0)]
        )
        add_KVServiceServicer_to_server(self, self._server)
        add_LeaseServiceServicer_to_server(leases, self._server)
        add_ClusterServiceServicer_to_server(self, self._server)
        add_SessionServiceServicer_to_server(sessions, self._server)
        add_LockServiceServicer_to_server(locks, self._server)
        add_WatchServiceServicer_to_server(WatchView(self), self._server)
        address = f"127.0.0.1:{port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)
        self.endpoint = f"127.0.0.1:{self.port}"
        self._server.start()

    def hang(self, request, context):
        """An action that answers nothing until the node is stopped."""
        self.released.wait(30)
        context.abort(grpc.StatusCode.INTERNAL, "released")

    def die(self, request, context):
        """An action that ends the node before it answers."""
        self._server.stop(0)
        self.released.wait(30)

    def cut(self, request, context):
        """An action that breaks the stream which carries the call."""
        context.cut()

    def stop(self):
        self.released.set()
        self._server.stop(0).wait(5)

    def named(self, method):
        """The requests of one method that arrived."""
        return [request for name, request in self.calls if name == method]

    def run(self, method, request, context, default):
        self.calls.append((method, request))
        action = self.script[method].pop(0) if self.script[method] else None
        if action is not None and not getattr(action, "afterwards", False):
            answer = action(request, context)
            if answer is not None:
                return answer
            action = None
        with self.store.lock:
            answer = self.store.once(request, context, default)
        if action is not None:
            action(request, context)
        return answer

    def header(self):
        return kv_pb2.ResponseHeader(
            cluster_id=self.store.cluster_id,
            node=self.name,
            revision=self.store.revision,
            raft_term=self.store.term,
        )

    def Get(self, request, context):
        def answer():
            entries = self.store.at(request, context)
            return kv_pb2.GetResponse(header=self.header(), entry=entries.get(request.key))

        return self.run("Get", request, context, answer)

    def List(self, request, context):
        def answer():
            found = self.store.at(request, context)
            keys = [key for key in self.store.select(request, found) if key > request.after]
            limit = min(request.limit or self.store.page, self.store.page)
            entries = [found[key] for key in keys[:limit]]
            return kv_pb2.ListResponse(
                header=self.header(), entries=entries, more=len(keys) > limit
            )

        return self.run("List", request, context, answer)

    def Put(self, request, context):
        def answer():
            unmet = self.store.unmet(request)
            if unmet is not None:
                return kv_pb2.PutResponse(header=self.header(), unmet=unmet)
            entry = self.store.put(request.key, request.value, request.lease_id)
            return kv_pb2.PutResponse(header=self.header(), entry=entry)

        return self.run("Put", request, context, answer)

    def Delete(self, request, context):
        def answer():
            unmet = self.store.unmet(request)
            if unmet is not None:
                return kv_pb2.DeleteResponse(header=self.header(), unmet=unmet)
            deleted = self.store.delete(request)
            return kv_pb2.DeleteResponse(header=self.header(), deleted=deleted)

        return self.run("Delete", request, context, answer)

    def CompareAndSet(self, request, context):
        def answer():
            unmet = self.store.unmet(request)
            if unmet is not None:
                return kv_pb2.CompareAndSetResponse(header=self.header(), unmet=unmet)
            now = self.store.entries.get(request.key)
            wanted = request.expect
            holds = (now is None) if wanted.absent else now is not None
            for name in ("value", "version", "mod_revision"):
                if holds and wanted.HasField(name):
                    holds = getattr(now, name) == getattr(wanted, name)
            if holds:
                now = self.store.put(request.key, request.value, request.lease_id)
            return kv_pb2.CompareAndSetResponse(header=self.header(), succeeded=holds, entry=now)

        return self.run("CompareAndSet", request, context, answer)

    def Update(self, request, context):
        def answer():
            unmet = self.store.unmet(request)
            if unmet is not None:
                return kv_pb2.UpdateResponse(header=self.header(), unmet=unmet)
            previous = self.store.entries.get(request.key)
            entry = self.store.update(request, context)
            return kv_pb2.UpdateResponse(header=self.header(), entry=entry, previous=previous)

        return self.run("Update", request, context, answer)

    def Txn(self, request, context):
        def answer():
            unmet = self.store.unmet(request)
            branch = request.then if unmet is None else request.otherwise
            results = self.store.operate(branch, context)
            return kv_pb2.TxnResponse(
                header=self.header(), succeeded=unmet is None, results=results, unmet=unmet
            )

        return self.run("Txn", request, context, answer)

    def Pipeline(self, request_iterator, context):
        self.streams += 1
        if self.pipeline is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no such method")
        yield from self.pipeline.serve(request_iterator, context)

    def Status(self, request, context):
        def answer():
            leads = self.name == self.store.leader
            return cluster_pb2.StatusResponse(
                header=self.header(),
                role=cluster_pb2.ROLE_LEADER if leads else cluster_pb2.ROLE_FOLLOWER,
                leader=self.store.leader,
                commit_index=12,
                applied_index=12,
                quorum_reachable=True,
                version="0.1.0",
                disk_id="0f",
                peers=[cluster_pb2.PeerStatus(name="n9", connected=True, match_index=11)],
                counters={"fsyncs": 3, "entries": 5},
            )

        return self.run("Status", request, context, answer)

    def TransferLeadership(self, request, context):
        def answer():
            self.store.leader = request.to if request.HasField("to") else "n2"
            return cluster_pb2.TransferLeadershipResponse(
                header=self.header(), leader=self.store.leader
            )

        return self.run("TransferLeadership", request, context, answer)

    def StateHash(self, request, context):
        def answer():
            hashes = [
                cluster_pb2.NodeHash(node=name, index=12, revision=9, digest="ab")
                for name in ("n1", "n2")
            ]
            return cluster_pb2.StateHashResponse(
                header=self.header(), hashes=hashes, missing=["n3"]
            )

        return self.run("StateHash", request, context, answer)

    def SetInvariant(self, request, context):
        def answer():
            wanted = request.invariant
            place = (wanted.key, wanted.is_prefix)
            self.store.invariants.pop(place, None)
            if wanted.HasField("min") or wanted.HasField("max") or wanted.immutable:
                self.store.invariants[place] = wanted
            return cluster_pb2.SetInvariantResponse(header=self.header())

        return self.run("SetInvariant", request, context, answer)

    def ListInvariants(self, request, context):
        def answer():
            found = self.store.invariants.values()
            return cluster_pb2.ListInvariantsResponse(header=self.header(), invariants=found)

        return self.run("ListInvariants", request, context, answer)

    def GuardPrefix(self, request, context):
        def answer():
            guard = request.guard
            self.store.guards.pop(guard.prefix, None)
            if guard.WhichOneof("by") is not None:
                self.store.guards[guard.prefix] = guard
            return cluster_pb2.GuardPrefixResponse(header=self.header())

        return self.run("GuardPrefix", request, context, answer)

    def ListGuards(self, request, context):
        def answer():
            found = self.store.guards.values()
            return cluster_pb2.ListGuardsResponse(header=self.header(), guards=found)

        return self.run("ListGuards", request, context, answer)

    def Contention(self, request, context):
        def answer():
            return cluster_pb2.ContentionResponse(header=self.header(), **self.store.contention)

        return self.run("Contention", request, context, answer)

    def Snapshot(self, request, context):
        parts = self.run("Snapshot", request, context, lambda: [b"head", b"body", b"tail"])
        yield cluster_pb2.SnapshotResponse(index=12, revision=9, total_bytes=12, chunk=parts[0])
        for part in parts[1:]:
            yield cluster_pb2.SnapshotResponse(chunk=part)


class _LeaseView(LeaseServiceServicer):
    """The lease service of a node: its own class, because `List` is there twice."""

    def __init__(self, node):
        self.node = node
        self.store = node.store

    def Grant(self, request, context):
        def answer():
            lease_id = request.lease_id or 100 + len(self.store.leases)
            self.store.leases[lease_id] = request.ttl_ms
            return lease_pb2.GrantResponse(
                header=self.node.header(), lease_id=lease_id, ttl_ms=request.ttl_ms
            )

        return self.node.run("Grant", request, context, answer)

    def KeepAlive(self, request_iterator, context):
        for request in request_iterator:

            def answer(lease_id=request.lease_id):
                return lease_pb2.KeepAliveResponse(
                    header=self.node.header(),
                    lease_id=lease_id,
                    ttl_ms=self.store.leases.get(lease_id, 0),
                )

            yield self.node.run("KeepAlive", request, context, answer)

    def Revoke(self, request, context):
        def answer():
            if self.store.leases.pop(request.lease_id, None) is None:
                deny(grpc.StatusCode.NOT_FOUND, "LEASE_NOT_FOUND", message="no such lease")(
                    request, context
                )
            return lease_pb2.RevokeResponse(header=self.node.header(), deleted=2)

        return self.node.run("Revoke", request, context, answer)

    def Describe(self, request, context):
        def answer():
            return lease_pb2.DescribeResponse(
                header=self.node.header(),
                lease_id=request.lease_id,
                ttl_ms=self.store.leases.get(request.lease_id, 0),
                remaining_ms=900,
                keys=[b"a", b"\xff"],
            )

        return self.node.run("Describe", request, context, answer)

    def List(self, request, context):
        def answer():
            after = request.after if request.HasField("after") else 0
            ids = sorted(each for each in self.store.leases if each > after)
            leases = [
                lease_pb2.LeaseSummary(
                    lease_id=each, ttl_ms=self.store.leases[each], remaining_ms=1, keys=4
                )
                for each in ids[:2]
            ]
            return lease_pb2.LeaseServiceListResponse(
                header=self.node.header(), leases=leases, more=len(ids) > 2
            )

        return self.node.run("ListLeases", request, context, answer)
