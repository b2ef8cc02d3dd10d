"""The peer plane under mutual TLS: it works, and no one without a certificate of the CA joins."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme
from peer_plane import free_addresses, make, pair, running

from kvraft.consensus.timing import Timing
from kvraft.tls import TlsFiles, client_context, server_context

pytestmark = pytest.mark.asyncio


def files_of(authority: trustme.CA, directory: Path) -> TlsFiles:
    directory.mkdir()
    issued = authority.issue_cert("node.example")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    issued.private_key_pem.write_to_path(directory / "key.pem")
    return TlsFiles(*(str(directory / f"{what}.pem") for what in ("ca", "cert", "key")))


def contexts(files: TlsFiles) -> dict[str, ssl.SSLContext]:
    return {"server_tls": server_context(files), "client_tls": client_context(files)}


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    return files_of(trustme.CA(), tmp_path / "ours")


async def test_messages_travel_both_lanes_and_reconnect(files):
    async with pair(**contexts(files)) as (a, b):
        bulk = bytes(4 << 20)
        assert a.transport.send("b", bulk, bulk=True)
        await b.saw.until(lambda: b.saw.count("piece") > 2)
        assert a.transport.send("b", b"heartbeat", bulk=False)
        await b.saw.until(lambda: len(b.saw.messages) == 2)
        assert [m for _, m in b.saw.messages] == [b"heartbeat", bulk]
        a.transport.reset("b", "test")
        await a.saw.until(lambda: a.saw.count("out up", "b") == 2)
        used = a.transport._dialers["b"].connection._transport.get_extra_info("cipher")
        assert used is not None


async def test_close_lets_what_was_sent_leave(files):
    async with pair(**contexts(files)) as (a, b):
        a.transport.send("b", bytes(1 << 20), bulk=True)
        await a.transport.close()
        await b.saw.until(lambda: len(b.saw.messages) == 1)
        await b.saw.until(lambda: b.saw.count("in down", "a") == 1)


async def refused_dialler(files: TlsFiles, client: ssl.SSLContext | None, server_files=None):
    """Let `a` dial `b`, which has `files`, with another context; neither may come up."""
    addresses = dict(zip("ab", free_addresses(2), strict=True))
    b = make("b", addresses, **contexts(files))
    mine = {"server_tls": server_context(server_files or files), "client_tls": client}
    a = make("a", addresses, **(mine if client else {}))
    async with running(b, a):
        await a.saw.until(lambda: a.saw.count("dial failed", "b") >= 2)
        await b.saw.until(lambda: b.counters["handshakes_failed"] >= 1)
        assert a.saw.count("out up") == b.saw.count("in up") == 0
        return a.saw.lines, b.saw.lines


async def test_a_client_without_a_certificate_is_refused(files):
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.load_verify_locations(files.ca)
    _, lines = await refused_dialler(files, bare)
    assert any("PEER_DID_NOT_RETURN_A_CERTIFICATE" in line for line in lines), lines


async def test_a_client_of_another_authority_is_refused(files, tmp_path):
    others = files_of(trustme.CA(), tmp_path / "others")
    mixed = TlsFiles(files.ca, others.cert, others.key)  # trusts ours, but is not signed by it
    _, lines = await refused_dialler(files, client_context(mixed), others)
    assert any("CERTIFICATE_VERIFY_FAILED" in line for line in lines), lines


async def test_a_server_of_another_authority_is_refused_by_the_dialler(files, tmp_path):
    others = files_of(trustme.CA(), tmp_path / "others")
    lines, _ = await refused_dialler(files, client_context(others), others)
    assert any("CERTIFICATE_VERIFY_FAILED" in line for line in lines), lines


async def test_a_client_without_tls_is_refused(files):
    await refused_dialler(files, None)


async def test_old_tls_is_refused(files):
    old = client_context(files)
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    await refused_dialler(files, old)


async def test_a_stalled_tls_handshake_ends_at_the_time_limit(files):
    async with pair(timing=Timing(handshake_ms=300), **contexts(files)) as (_, b):
        reader, writer = await asyncio.open_connection(*b.transport.address)
        writer.write(b"\x16\x03\x01\x02\x00")  # the first bytes of a ClientHello, never the rest
        assert await asyncio.wait_for(reader.read(), 10) == b""
        assert b.counters["handshakes_timed_out"] == 1
        writer.transport.abort()
