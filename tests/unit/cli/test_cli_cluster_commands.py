"""lease, status, hash, transfer, snapshot."""

import json

import pytest

from kvraft.v1 import cluster_pb2


def test_leases_as_json(kvraft, node):
    granted = json.loads(kvraft("lease", "grant", "10", "-o", "json").stdout)
    lease_id = str(granted["lease_id"])

    assert granted == {"lease_id": 100, "ttl_ms": 10_000}
    assert json.loads(kvraft("lease", "keepalive", lease_id, "-o", "json").stdout) == granted
    assert json.loads(kvraft("lease", "show", lease_id, "-o", "json").stdout) == {
        "lease_id": 100,
        "ttl_ms": 10_000,
        "remaining_ms": 900,
        "keys": [{"key": "a"}, {"key_base64": "/w=="}],
    }
    assert json.loads(kvraft("lease", "list", "-o", "json").stdout) == {
        "leases": [{"lease_id": 100, "ttl_ms": 10_000, "remaining_ms": 1, "keys": 4}]
    }
    assert json.loads(kvraft("lease", "revoke", lease_id, "-o", "json").stdout) == {
        "lease_id": 100,
        "deleted": 2,
    }


def test_leases_for_people(kvraft):
    assert kvraft("lease", "grant", "2.5").stdout == "lease 100 granted for 2.5 s\n"
    assert kvraft("lease", "keepalive", "100").stdout == "lease 100 renewed for 2.5 s\n"
    assert "lease 100: 0.9 of 2.5 s remain, 2 keys\n  a\n" in kvraft("lease", "show", "100").stdout
    assert "100" in kvraft("lease", "list").stdout
    assert kvraft("lease", "revoke", "100").stdout == "lease 100 revoked, 2 keys deleted\n"


@pytest.mark.parametrize("command", ["keepalive", "revoke"])
def test_a_lease_that_is_gone(kvraft, command):
    result = kvraft("lease", command, "7")

    assert result.exit_code == 1
    assert result.stderr.startswith("kvraft: error: ")


@pytest.mark.parametrize("given", ["0", "-3", "99999999999999999999", "x"])
def test_a_lease_id_is_checked(kvraft, node, given):
    result = kvraft("lease", "revoke", "--", given)

    assert result.exit_code == 1
    assert "'ID'" in result.stderr
    assert node.calls == []


def test_status_as_json(kvraft, node, free_endpoint):
    result = kvraft("--endpoints", f"{node.endpoint},{free_endpoint}", "status", "-o", "json")
    one, none = json.loads(result.stdout)["nodes"]

    assert result.exit_code == 0
    assert one == one | {
        "name": "n1",
        "endpoint": node.endpoint,
        "role": "leader",
        "leader": "n1",
        "term": 1,
        "commit": 12,
        "applied": 12,
        "revision": 1,
        "counters": {"entries": 5, "fsyncs": 3},
        "cluster_id": "0000000000000007",
    }
    assert none == none | {"endpoint": free_endpoint, "name": None, "role": None, "counters": {}}
    assert "UNAVAILABLE" in none["error"]
    assert one.keys() >= none.keys() - {"error"}


def test_status_for_people(kvraft, node):
    shown = kvraft("status").stdout

    assert node.endpoint in shown
    assert "leader" in shown


def test_status_of_nobody_is_an_error(kvraft, free_endpoint):
    result = kvraft("status", "--endpoints", free_endpoint)

    assert result.exit_code == 1
    assert result.stderr == "kvraft: error: no endpoint answers\n"
    assert "UNAVAILABLE" in result.stdout


def test_hash(kvraft):
    shown = json.loads(kvraft("hash", "-o", "json").stdout)

    assert shown["hashes"][0] == {"node": "n1", "index": 12, "revision": 9, "digest": "ab"}
    assert (shown["missing"], shown["equal"]) == (["n3"], True)
    assert kvraft("hash").stderr == "kvraft: no report in time from n3\n"


def test_hashes_that_differ_are_an_error(kvraft, node):
    def answer(request, context):
        hashes = [cluster_pb2.NodeHash(node=name, index=1, digest=name) for name in ("n1", "n2")]
        return cluster_pb2.StateHashResponse(header=node.header(), hashes=hashes)

    node.script["StateHash"] = [answer]
    result = kvraft("hash")

    assert result.exit_code == 1
    assert "differ" in result.stderr


def test_hashes_at_different_indexes_do_not_differ(kvraft, node):
    def answer(request, context):
        hashes = [
            cluster_pb2.NodeHash(node=name, index=index, digest=name)
            for index, name in enumerate(("n1", "n2"))
        ]
        return cluster_pb2.StateHashResponse(header=node.header(), hashes=hashes)

    node.script["StateHash"] = [answer]

    assert kvraft("hash").exit_code == 0


def test_transfer(kvraft):
    assert kvraft("transfer", "n3").stdout == "n3 leads\n"
    assert json.loads(kvraft("transfer", "-o", "json").stdout) == {"leader": "n2"}


def test_snapshot_save(kvraft, tmp_path):
    target = tmp_path / "backup"
    result = kvraft("snapshot", "save", str(target), "-o", "json")

    assert json.loads(result.stdout) == {
        "file": str(target),
        "index": 12,
        "revision": 9,
        "bytes": 12,
    }
    assert target.read_bytes() == b"headbodytail"

    again = kvraft("snapshot", "save", str(target))

    assert again.stdout == f"{target}: 12 bytes, revision 9, index 12\n"


def test_snapshot_save_where_it_cannot_be(kvraft, tmp_path):
    result = kvraft("snapshot", "save", str(tmp_path / "none" / "backup"))

    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr
    assert result.stderr.count("\n") == 1
