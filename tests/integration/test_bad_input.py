"""Bad input against a real cluster: a clear error each, the nodes go on, nothing is lost."""

import asyncio
import random
import socket

import pytest

from kvraft.cli.local_cluster import LocalCluster
from kvraft_client import (
    AsyncClient,
    Client,
    InvalidRequest,
    InvariantViolated,
    KeyReused,
    KvraftError,
    LeaseNotFound,
    Outcome,
    RevisionUnavailable,
    TooLarge,
    WrongType,
    actions,
    conditions,
    operations,
)
from kvraft_client.conditions import Condition, exists, json
from kvraft_client.text import TextError

TRIES = 150
JSON_BOMB = "[" * 100_000 + "]" * 100_000


def deep(levels: int) -> Condition:
    """Return a condition with so many levels above its clause."""
    condition: Condition = exists("kept")
    for _ in range(levels):
        condition = ~condition
    return condition


def many(clauses: int) -> Condition:
    condition: Condition = exists("kept")
    for _ in range(clauses - 1):
        condition &= exists("kept")
    return condition


def reuse(kv: Client) -> None:
    kv.put("reused", b"1", idempotency_key="same")
    kv.put("reused", b"2", idempotency_key="same")


def overflow(kv: Client) -> None:
    kv.update("number", actions.set(str((1 << 63) - 1)))
    kv.update("number", actions.add(1))


def add_to_text(kv: Client) -> None:
    kv.update("kept", actions.add(1))


def point_into_text(kv: Client) -> None:
    kv.update("kept", actions.json_set("/a", 1))


def into_a_bomb(kv: Client) -> None:
    kv.put("bomb", JSON_BOMB)
    kv.update("bomb", actions.json_set("/0", 1))


CASES = {
    "an empty key": (lambda kv: kv.put("", b"v"), InvalidRequest, "key"),
    "a key too long": (lambda kv: kv.put("k" * 2049, b"v"), TooLarge, "2048.*2049|2049.*2048"),
    "a value too large": (lambda kv: kv.put("k", b"v" * ((1 << 20) + 1)), TooLarge, "1048576"),
    "a request too large": (lambda kv: kv.put("k", b"v" * (3 << 19)), TooLarge, "15728|1048576"),
    "no expectation": (lambda kv: kv.cas("k", b"v"), InvalidRequest, "expect"),
    "an unknown lease": (lambda kv: kv.put("k", b"v", lease=987_654), LeaseNotFound, "987654"),
    "keepalive of it": (lambda kv: kv.leases.keep_alive(987_654), LeaseNotFound, "987654"),
    "revoke of it": (lambda kv: kv.leases.revoke(987_654), LeaseNotFound, "987654"),
    "a TTL too short": (lambda kv: kv.leases.grant(ttl=0.5), InvalidRequest, "1000|1 s"),
    "a TTL too long": (lambda kv: kv.leases.grant(ttl=90_000), InvalidRequest, "86400000|24 h"),
    "a condition 9 deep": (
        lambda kv: kv.put("k", b"v", when=deep(9)),
        InvalidRequest,
        "8 levels",
    ),
    "257 clauses": (
        lambda kv: kv.put("k", b"v", when=many(257)),
        InvalidRequest,
        "at most 256 clauses",
    ),
    "a key twice": (
        lambda kv: kv.txn(then=[operations.put("k", b"1"), operations.put("k", b"2")]),
        InvalidRequest,
        "twice|once",
    ),
    "a pointer into what is no JSON": (point_into_text, WrongType, "JSON"),
    "a pointer that is none": (
        lambda kv: kv.put("k", b"v", when=json("kept", "a") == 1),
        InvalidRequest,
        "pointer",
    ),
    "an addition to text": (add_to_text, WrongType, "int64"),
    "an int64 overflow": (overflow, InvariantViolated, "int64|overflow"),
    "a JSON bomb": (into_a_bomb, WrongType, "JSON"),
    "a reused identity": (reuse, KeyReused, "identity|request"),
    "a future revision": (
        lambda kv: kv.get("kept", revision=1 << 40),
        RevisionUnavailable,
        str(1 << 40),
    ),
    "an unknown operator in the text form": (
        lambda kv: kv.put("k", b"v", when="value <> 5"),
        TextError,
        r"\^",
    ),
    "a TTL on a put too short": (lambda kv: kv.put("k", b"v", ttl=0.01), InvalidRequest, "1000"),
}


@pytest.fixture(scope="module")
def kept(module_cluster: LocalCluster) -> LocalCluster:
    with Client(module_cluster.endpoints, timeout=10.0) as kv:
        kv.put("kept", b"as it was")
    return module_cluster


@pytest.mark.parametrize("case", CASES)
def test_a_bad_request_is_told_what_is_wrong(kept: LocalCluster, case: str) -> None:
    call, error, text = CASES[case]
    with Client(kept.endpoints, timeout=10.0) as kv:
        with pytest.raises(error, match=text) as caught:
            call(kv)
        assert caught.value.outcome is Outcome.NOT_APPLIED
        assert kv.get("kept").value == b"as it was"
        assert kv.get("k") is None


def test_what_cannot_be_compared_is_false_and_flagged(kept: LocalCluster) -> None:
    with Client(kept.endpoints, timeout=10.0) as kv:
        kv.put("bomb", JSON_BOMB)
        for condition in (
            conditions.number("kept") > 5,
            json("kept", "/a") > 5,
            json("bomb", "/0") == 1,
        ):
            result = kv.txn(when=condition, then=[operations.put("k", b"v")])
            assert not result.succeeded
            assert result.unmet is not None
            assert result.unmet.mismatched == (0,)
        assert kv.get("k") is None


@pytest.mark.parametrize("plane", ["client", "peer"])
def test_random_bytes_on_a_port_harm_nobody(kept: LocalCluster, plane: str) -> None:
    rng = random.Random(5)
    node = kept.nodes[1]
    port = node.client_port if plane == "client" else node.peer_port
    pids = [each.pid() for each in kept.nodes]
    for number in range(TRIES):
        with socket.create_connection(("127.0.0.1", port), timeout=5.0) as stranger:
            stranger.sendall(rng.randbytes(rng.randrange(1, 4096)))
            if number % 3 == 0:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with Client(kept.endpoints, timeout=10.0) as kv:
        assert kv.get("kept").value == b"as it was"
        kv.put(f"after/{plane}", b"still here")
        assert [each.pid() for each in kept.nodes] == pids
        if plane == "peer":
            assert kv.status()[1].counters["malformed_frames"] >= TRIES // 2


def test_one_entry_and_about_one_fsync_carry_a_batch(kept: LocalCluster) -> None:
    """Many callers at once: far fewer entries than commands, and no more fsyncs than entries."""

    def counters() -> dict[str, int]:
        with Client(kept.endpoints) as kv:
            (leader,) = [each for each in kv.status() if each.role == "leader"]
        return dict(leader.counters)

    async def write() -> None:
        async with AsyncClient(kept.endpoints, timeout=20.0) as kv:
            await asyncio.gather(*(kv.put(f"batch/{number}", b"v") for number in range(1000)))

    before = counters()
    asyncio.run(write())
    after = counters()
    commands, entries, fsyncs = (
        after[name] - before[name] for name in ("commands", "entries", "fsyncs")
    )

    assert commands >= 1000
    assert entries <= commands / 2
    assert fsyncs <= entries * 1.2 + 10, "one fsync for an entry, and the log's idle marks"


def test_an_error_never_guesses(kept: LocalCluster) -> None:
    """A deadline that is over before anything was sent is NOT_APPLIED."""
    with Client(kept.endpoints) as kv:
        with pytest.raises(KvraftError) as caught:
            kv.put("k", b"v", timeout=1e-6)
        assert caught.value.outcome is Outcome.NOT_APPLIED
        assert kv.get("k") is None
