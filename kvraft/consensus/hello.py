"""The handshake of a peer connection: HELLO from the dialler, one answer from the acceptor.

Prelude: magic, version u16, kind u8, body length u16, crc32 u32 of all else. The prelude and the
body of a refusal never change, so that every version can read why another one refuses it. Later
versions append fields to the body of HELLO, which are skipped here; `version` changes only when
that cannot do (RULES I14).
"""

import struct
from zlib import crc32

from kvraft.consensus.port import Hello, HelloRefused, ProtocolError

HELLO_VERSION = 1
_MAGIC = b"KVRF"
_PRELUDE = struct.Struct(">4sHBHI")
_CHECKED = struct.Struct(">4sHBH")  # the prelude without its checksum
_HELLO, _ACK, _REFUSED = 1, 2, 3
_FIXED = struct.Struct(">QQQQHHH?QBH")  # ids, versions, membership, lengths of name and endpoint
MAX_BODY_BYTES = 1_024
MAX_NAME_BYTES = 64
MAX_ENDPOINT_BYTES = 512
MAX_REASON_BYTES = 512


class UnknownHelloVersionError(ProtocolError):
    """The other side speaks a HELLO that this version cannot read; the text says what to do."""


def encode_hello(hello: Hello) -> bytes:
    """Return the dialler's first and only handshake message. ValueError: a field out of range."""
    return _framed(_HELLO, _hello_body(hello))


def encode_ack(hello: Hello) -> bytes:
    """Return the acceptor's consent. ValueError: a field out of range."""
    return _framed(_ACK, _hello_body(hello))


def encode_refused(refused: HelloRefused) -> bytes:
    """Return the acceptor's refusal; a reason over 512 bytes is cut."""
    reason = refused.reason.encode()[:MAX_REASON_BYTES]
    return _framed(_REFUSED, reason.decode(errors="ignore").encode())


class HelloReader:
    """Reads one handshake message in whatever portions it arrives, and nothing after it."""

    def __init__(self, *, answer: bool) -> None:
        self._kinds = (_ACK, _REFUSED) if answer else (_HELLO,)
        self._held = b""

    def feed(self, data: bytes) -> Hello | HelloRefused | None:
        """Return the message once it is whole. ProtocolError: it is not one, or more follows it.

        UnknownHelloVersionError: it is one, of another version.
        """
        self._held += data  # bounded by what is checked below
        if not _MAGIC.startswith(self._held[: len(_MAGIC)]):
            raise ProtocolError("not a kvraft peer (wrong magic)")
        if len(self._held) < _PRELUDE.size:
            return None
        _, version, kind, length, checksum = _PRELUDE.unpack_from(self._held)
        if kind not in self._kinds:
            raise ProtocolError(f"handshake message of kind {kind} where {self._kinds} were due")
        if length > MAX_BODY_BYTES:
            raise ProtocolError(f"a handshake of {length} bytes; at most {MAX_BODY_BYTES}")
        if version != HELLO_VERSION and kind != _REFUSED:
            raise UnknownHelloVersionError(
                f"HELLO version {version} is not spoken here, only {HELLO_VERSION}: "
                "run versions of kvraft that are neighbours"
            )
        body = self._held[_PRELUDE.size :]
        if len(body) < length:
            return None
        if len(body) > length:
            raise ProtocolError("bytes behind the handshake message")
        if crc32(body, crc32(self._held[: _CHECKED.size])) != checksum:
            raise ProtocolError("a handshake message with a wrong checksum")
        return _refusal(body) if kind == _REFUSED else _hello(body)


def _framed(kind: int, body: bytes) -> bytes:
    checked = _CHECKED.pack(_MAGIC, HELLO_VERSION, kind, len(body))
    return checked + crc32(body, crc32(checked)).to_bytes(4) + body


def _hello_body(hello: Hello) -> bytes:
    name = _bounded("node name", hello.name, MAX_NAME_BYTES)
    endpoint = _bounded("endpoint", hello.endpoint, MAX_ENDPOINT_BYTES)
    try:
        fixed = _FIXED.pack(
            hello.cluster_id,
            hello.origin,
            hello.disk_id,
            hello.boot_id,
            hello.protocol_min,
            hello.protocol_max,
            hello.command_version,
            hello.rejoining,
            hello.members_index,
            len(name),
            len(endpoint),
        )
    except struct.error as error:
        raise ValueError(f"{hello} does not fit a handshake: {error}") from None
    return fixed + name + endpoint


def _bounded(what: str, text: str, limit: int) -> bytes:
    data = text.encode()
    if len(data) > limit:
        raise ValueError(f"{what} {text!r} has {len(data)} bytes; at most {limit}")
    return data


def _hello(body: bytes) -> Hello:
    if len(body) < _FIXED.size:
        raise ProtocolError(f"a HELLO of {len(body)} bytes; at least {_FIXED.size}")
    *ids, rejoining, members_index, name_size, endpoint_size = _FIXED.unpack_from(body)
    cluster_id, origin, disk_id, boot_id, low, high, command = ids
    endpoint_at = _FIXED.size + name_size
    if len(body) < endpoint_at + endpoint_size:
        raise ProtocolError("a HELLO that is shorter than it says")
    name = _text(body[_FIXED.size : endpoint_at])
    if not name or name_size > MAX_NAME_BYTES:
        raise ProtocolError(f"a node name of {name_size} bytes; must be 1 to {MAX_NAME_BYTES}")
    endpoint = _text(body[endpoint_at : endpoint_at + endpoint_size])
    if not (name + endpoint).isprintable():  # they end up in lines for people
        raise ProtocolError("a HELLO with unprintable text")
    return Hello(
        cluster_id=cluster_id,
        origin=origin,
        name=name,
        disk_id=disk_id,
        boot_id=boot_id,
        protocol_min=low,
        protocol_max=high,
        command_version=command,
        endpoint=endpoint,
        rejoining=rejoining,
        members_index=members_index,
    )


def _refusal(body: bytes) -> HelloRefused:
    # Printable only: the text of a stranger goes to a terminal.
    reason = _text(body[:MAX_REASON_BYTES])
    return HelloRefused("".join(c if c.isprintable() else "?" for c in reason))


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ProtocolError("a handshake with text that is not UTF-8") from None
