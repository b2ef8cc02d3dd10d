"""Threads, closing, cancelling, TLS, and what importing the client pulls in."""

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import trustme

from kvraft_client import (
    AsyncClient,
    Client,
    ClientClosed,
    InvalidRequest,
    NotApplied,
    OutcomeUnknown,
    Unreachable,
)


def test_many_threads_share_one_client(start):
    nodes = start(3)
    with Client([node.endpoint for node in nodes]) as kv, ThreadPoolExecutor(8) as pool:

        def work(worker):
            return [kv.put(f"w/{worker}", str(number)).version for number in range(25)]

        assert list(pool.map(work, range(8))) == [list(range(1, 26))] * 8


def test_many_tasks_share_one_client(start):
    nodes = start(3)

    async def main():
        async with AsyncClient([node.endpoint for node in nodes]) as kv:
            return await asyncio.gather(*(kv.put(f"k/{number}", "v") for number in range(64)))

    assert {entry.version for entry in asyncio.run(main())} == {1}


def test_a_closed_client_says_so_and_closing_twice_is_fine(start, connect):
    kv = connect(start())
    kv.put("k", "v")
    kv.close() if isinstance(kv.kv, Client) else kv.runner.run(kv.kv.close())

    with pytest.raises(ClientClosed) as raised:
        kv.get("k")
    assert isinstance(raised.value, NotApplied)


def test_closing_during_a_mutation_leaves_it_unknown(start):
    node = start()
    node.script["Put"] = [node.hang]
    kv = Client(node.endpoint)
    closer = threading.Timer(0.2, kv.close)
    closer.start()

    with pytest.raises(OutcomeUnknown):
        kv.put("k", "v")
    closer.join()


def test_closing_an_async_client_during_a_mutation_leaves_it_unknown(start):
    node = start()
    node.script["Put"] = [node.hang]

    async def main():
        kv = AsyncClient(node.endpoint)
        call = asyncio.ensure_future(kv.put("k", "v"))
        while not node.named("Put"):
            await asyncio.sleep(0.005)
        await kv.close()
        with pytest.raises(OutcomeUnknown):
            await call

    asyncio.run(main())


def test_cancelling_a_task_cancels_its_call(start):
    node = start()
    node.script["Put"] = [node.hang]

    async def main():
        async with AsyncClient(node.endpoint) as kv:
            call = asyncio.ensure_future(kv.put("k", "v"))
            while not node.named("Put"):
                await asyncio.sleep(0.005)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            return await kv.put("k", "v2")

    assert asyncio.run(main()).value == b"v2"


@pytest.fixture
def authority():
    return trustme.CA()


def credentials(authority, *, client_auth=False):
    """A server's credentials, and the PEM bytes that a client needs."""
    server = authority.issue_cert("127.0.0.1", "localhost")
    pair = (server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())
    root = authority.cert_pem.bytes()
    return grpc.ssl_server_credentials([pair], root if client_auth else None, client_auth)


def test_tls_with_files_and_with_bytes(start, connect, authority, tmp_path):
    node = start(credentials=credentials(authority))
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())

    assert connect(node, ca=tmp_path / "ca.pem").put("k", "v").version == 1
    assert connect(node, ca=authority.cert_pem.bytes()).put("k", "v").version == 2


def test_tls_with_a_client_certificate(start, connect, authority):
    node = start(credentials=credentials(authority, client_auth=True))
    mine = authority.issue_cert("client@example.com")
    root = authority.cert_pem.bytes()
    pair = {
        "cert": mine.cert_chain_pems[0].bytes(),
        "key": mine.private_key_pem.bytes(),
    }

    assert connect(node, ca=root, **pair).put("k", "v").version == 1
    with pytest.raises(Unreachable):
        connect(node, ca=root, timeout=0.5).put("k", "v")


@pytest.mark.parametrize("tls", [True, False])
def test_a_server_that_is_not_trusted_gets_nothing(start, connect, authority, tls):
    node = start(credentials=credentials(authority))
    options = {"ca": trustme.CA().cert_pem.bytes()} if tls else {}

    with pytest.raises(Unreachable) as raised:
        connect(node, timeout=0.5, **options).put("k", "secret")
    assert raised.value.outcome == "NOT_APPLIED"
    assert node.calls == []


def test_tls_options_are_checked(connect, tmp_path):
    with pytest.raises(InvalidRequest, match="both cert and key"):
        connect("a:1", cert=b"x")
    with pytest.raises(InvalidRequest, match=r"cannot read ca .*No such file"):
        connect("a:1", ca=tmp_path / "none.pem")
    with pytest.raises(InvalidRequest, match="timeout must be"):
        connect("a:1", timeout=0)
    with pytest.raises(InvalidRequest, match="timeout must be"):
        connect("a:1", timeout=float("inf"))


def test_importing_the_client_needs_nothing_but_grpc_and_protobuf():
    code = (
        "import sys, kvraft_client\n"
        "roots = {name.partition('.')[0] for name in sys.modules}\n"
        "kvraft = {name for name in sys.modules if name.startswith('kvraft.')}\n"
        "print(sorted(roots & {'typer', 'rich', 'pysyncobj', 'sortedcontainers', 'kvraft_chaos'}),"
        " sorted(kvraft - {name for name in kvraft if name.startswith('kvraft.v1')}))"
    )
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout.strip() == "[] []"
