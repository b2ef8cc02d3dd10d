"""How a client reaches the cluster: endpoints, time-outs, TLS, and the options of its channels.

Imports: grpc only for credentials.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from kvraft_client.errors import InvalidRequest
from kvraft_client.policy.retry import RetrySettings

DEFAULT_TIMEOUT_S = 5.0
"""Deadline of a call where none is given: several elections long."""
TIMEOUT_MAX_S = 1e9
"""Longest deadline that may be given: 30 years, which every clock on the way can count."""
CLOSE_TIMEOUT_S = 0.5
"""How long closing a client may take to end its sessions; one that is not ended ends by itself."""
SNAPSHOT_TIMEOUT_S = 300.0
"""Deadline of a whole backup: 512 MiB at 2 MiB a second."""
STATUS_TIMEOUT_S = 1.0
"""How long one node may take to say what it sees: it needs nobody else for that."""
MESSAGE_MAX_BYTES = 4 << 20
"""The largest message in either direction, gRPC's default. A larger request is refused before it
is sent, because the transport's own refusal would not say whether anything was applied."""

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    # gRPC's own defaults (1 s first, 120 s at most) make a healed node invisible for minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Also the time-out of one attempt to connect: 100 ms would never finish a TLS handshake
    # over a slow link.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    # A dead peer is noticed within 13 s even if nothing is being asked.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Two clients in one process are two connections.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_send_message_length", MESSAGE_MAX_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
    # http_proxy is meant for the web; and no retries or endpoints by DNS.
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
)

Pem = str | Path | bytes
"""A path to a PEM file, or its content as bytes."""


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Everything a client is made with."""

    endpoints: tuple[str, ...]
    timeout_s: float = DEFAULT_TIMEOUT_S
    credentials: grpc.ChannelCredentials | None = None
    retry: RetrySettings = field(default_factory=RetrySettings)
    exactly_once: bool = True
    sessions: bool = True
    """False: each mutation has an idempotency key of its own instead."""


def configure(
    endpoints: str | Sequence[str],
    *,
    timeout: float = DEFAULT_TIMEOUT_S,
    ca: Pem | None = None,
    cert: Pem | None = None,
    key: Pem | None = None,
    exactly_once: bool = True,
    sessions: bool = True,
) -> ClientConfig:
    """Check what the user gave. TLS is on as soon as any of `ca`, `cert`, `key` is given."""
    check_timeout(timeout)
    credentials = _credentials(ca, cert, key)
    return ClientConfig(
        parse_endpoints(endpoints),
        timeout,
        credentials,
        exactly_once=exactly_once,
        sessions=sessions,
    )


def check_timeout(timeout: float) -> None:
    """Raise InvalidRequest, or TypeError, for what is no time that one can wait."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number of seconds, not {type(timeout).__name__}")
    if not 0 < timeout <= TIMEOUT_MAX_S:
        raise InvalidRequest(f"timeout must be a positive number of seconds, not {timeout!r}")


def parse_endpoints(endpoints: str | Sequence[str]) -> tuple[str, ...]:
    """Split and check `host:port[,host:port...]`, or a sequence of them."""
    given = [endpoints] if isinstance(endpoints, str) else endpoints
    found = [part.strip() for each in given for part in each.split(",") if part.strip()]
    if not found:
        raise InvalidRequest(f"no endpoint in {endpoints!r}: give HOST:PORT[,HOST:PORT...]")
    for each in found:
        host, colon, port = each.rpartition(":")
        if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
            raise InvalidRequest(f"endpoint {each!r} is not HOST:PORT")
    return tuple(dict.fromkeys(found))


def _credentials(
    ca: Pem | None, cert: Pem | None, key: Pem | None
) -> grpc.ChannelCredentials | None:
    if ca is None and cert is None and key is None:
        return None
    if (cert is None) != (key is None):
        raise InvalidRequest("a client certificate needs both cert and key")
    return grpc.ssl_channel_credentials(_pem("ca", ca), _pem("key", key), _pem("cert", cert))


def _pem(what: str, given: Pem | None) -> bytes | None:
    if given is None or isinstance(given, bytes):
        return given
    try:
        return Path(given).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"cannot read {what} {given}: {error.strerror}") from error
