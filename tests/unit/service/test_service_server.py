"""The client port: binding, reflection, TLS, sizes, options, stop."""

import asyncio
import socket
from pathlib import Path

import grpc
import pytest
import trustme
from grpc._cython import cygrpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from service_node import ScriptedNode
from service_wire import Wire, failing

from kvraft.service.limits import ServiceLimits
from kvraft.service.server import BindError, build_server, server_options
from kvraft.tls import TlsError, TlsFiles
from kvraft.v1 import kv_pb2, kv_pb2_grpc
from kvraft_client.config import CHANNEL_OPTIONS

PUT = kv_pb2.PutRequest(key=b"k", value=b"v")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> TlsFiles:
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    (tmp_path / "cert.pem").write_bytes(chain)
    return TlsFiles(*(str(tmp_path / f"{part}.pem") for part in ("ca", "cert", "key")))


@pytest.mark.asyncio
async def test_a_port_in_use_is_one_clear_error(node: ScriptedNode) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BindError, match=f"cannot listen on {address} for clients"):
            build_server(node, address)


@pytest.mark.asyncio
async def test_two_servers_never_share_a_port(wire: Wire) -> None:
    """Without so_reuseport=0 the second one would get every other connection."""
    with pytest.raises(BindError, match=wire.server.address):
        build_server(wire.node, wire.server.address)


@pytest.mark.asyncio
@pytest.mark.parametrize("address", ["no-such-host.invalid:1", "127.0.0.1:nonsense"])
async def test_an_address_that_is_none(node: ScriptedNode, address) -> None:
    with pytest.raises(BindError, match=f"cannot listen on {address}"):
        build_server(node, address)


def test_every_option_is_set_once() -> None:
    names = [name for name, _ in server_options(ServiceLimits())]
    assert len(names) == len(set(names))


@pytest.mark.asyncio
async def test_reflection_lists_the_services_and_describes_them(wire: Wire) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(wire.channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="kvraft.v1.LeaseService"),
    ]
    listed, described = [answer async for answer in stub.ServerReflectionInfo(iter(requests))]
    assert {service.name for service in listed.list_services_response.service} == {
        "kvraft.v1.KVService",
        "kvraft.v1.LeaseService",
        "kvraft.v1.LockService",
        "kvraft.v1.ClusterService",
        "kvraft.v1.SessionService",
        "kvraft.v1.WatchService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert any(
        b"LeaseService" in proto
        for proto in described.file_descriptor_response.file_descriptor_proto
    )


@pytest.mark.asyncio
async def test_a_message_above_four_mebibytes_is_refused_by_grpc(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"x" * (4 << 20)))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert wire.node.submitted == []
    failed = await failing(wire.kv.Put(kv_pb2.PutRequest(key=b"k", value=b"x" * (3 << 20))))
    assert failed.info.reason == "TOO_LARGE"
    assert (await wire.kv.Put(PUT)).entry.value == b"v"


@pytest.mark.asyncio
async def test_a_stop_lets_calls_in_flight_finish(wire: Wire) -> None:
    wire.node.hold = True
    putting = wire.kv.Put(PUT)
    await wire.node.until_held(1)
    stopping = asyncio.create_task(wire.server.stop(30.0))
    await asyncio.sleep(0)
    wire.node.release()
    assert (await putting).entry.value == b"v"
    await asyncio.wait_for(stopping, 5.0)


def client_credentials(
    authority: trustme.CA, identity: trustme.LeafCert | None
) -> grpc.ChannelCredentials:
    if identity is None:
        return grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    chain = b"".join(blob.bytes() for blob in identity.cert_chain_pems)
    return grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(), identity.private_key_pem.bytes(), chain
    )


async def put_over_tls(
    node: ScriptedNode, files: TlsFiles, credentials: grpc.ChannelCredentials | None
) -> kv_pb2.PutResponse:
    server = build_server(node, "localhost:0", tls=files)
    await server.start()
    try:
        async with (
            grpc.aio.insecure_channel(server.address)
            if credentials is None
            else grpc.aio.secure_channel(server.address, credentials)
        ) as channel:
            return await kv_pb2_grpc.KVServiceStub(channel).Put(PUT, timeout=5.0)
    finally:
        await server.stop(0)


@pytest.mark.asyncio
async def test_tls_with_a_client_certificate(node, authority, files) -> None:
    credentials = client_credentials(authority, authority.issue_cert("client"))
    assert (await put_over_tls(node, files, credentials)).entry.value == b"v"


@pytest.mark.asyncio
@pytest.mark.parametrize("who", ["plain", "no certificate", "another authority"])
async def test_tls_lets_nobody_else_in(node, authority, files, who) -> None:
    stranger = trustme.CA().issue_cert("client")
    credentials = {
        "plain": None,
        "no certificate": client_credentials(authority, None),
        "another authority": client_credentials(authority, stranger),
    }[who]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await put_over_tls(node, files, credentials)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert node.submitted == []


@pytest.fixture(params=["ca missing", "ca bad", "cert missing", "cert bad", "key bad"])
def harmed(files: TlsFiles, request) -> str:
    """Harm one file; returns its name."""
    part, harm = request.param.split()
    path = Path(getattr(files, part))
    path.unlink() if harm == "missing" else path.write_text("no pem")
    return path.name


@pytest.mark.asyncio
async def test_bad_files_are_told_before_the_port_opens(node, files, harmed) -> None:
    with pytest.raises(TlsError, match=harmed):
        build_server(node, "localhost:0", tls=files)


@pytest.mark.asyncio
async def test_a_key_of_another_certificate_is_told(node, authority, files) -> None:
    authority.issue_cert("localhost").private_key_pem.write_to_path(files.key)
    with pytest.raises(TlsError, match=r"cert.pem.*key.pem"):
        build_server(node, "localhost:0", tls=files)


def test_grpc_knows_every_option_it_is_given() -> None:
    """It ignores an unknown name in silence: idle clients were once cut off for pinging."""
    library = Path(cygrpc.__file__).read_bytes()
    names = [name for name, _ in (*server_options(ServiceLimits()), *CHANNEL_OPTIONS)]
    assert [name for name in names if name.encode() + b"\0" not in library] == []
