"""One directed link's byte stream, sans-I/O: messages in, checked pieces out, and back.

A message is cut into pieces of at most `Flow.piece_bytes`. Control and bulk messages are two
lanes, each in order; a control message overtakes bulk at the next piece boundary, so that a
heartbeat never waits for an append of megabytes (RULES I19).

Piece: counter u64, (length << 8 | flags) u32, crc32 u32, payload. The counter starts at 0 on each
connection, so bytes that a proxy swallowed or repeated show at the next header. The CRC covers the
payload and is seeded with the length word, so it covers that too.
"""

import struct
from collections import deque
from zlib import crc32

from kvraft.consensus.port import ProtocolError
from kvraft.consensus.timing import Flow

_HEADER = struct.Struct(">QII")
HEADER_BYTES = _HEADER.size
_BULK = 1
_LAST = 2
_FLAGS = _BULK | _LAST
_MAX_PIECE_BYTES = (1 << 24) - 1  # what the length word can say


def _checked(flow: Flow) -> Flow:
    limit = min(_MAX_PIECE_BYTES, flow.message_bytes)
    if not 0 < flow.piece_bytes <= limit:
        raise ValueError(f"piece_bytes is {flow.piece_bytes}; must be 1 to {limit}")
    return flow


class _SendLane:
    """Messages of one lane, in order; the first may be partly sent."""

    __slots__ = ("buffered", "flags", "limit", "queue", "sent")

    def __init__(self, flags: int, limit: int) -> None:
        self.flags = flags
        self.limit = limit
        self.queue: deque[bytes] = deque()
        self.sent = 0  # bytes of queue[0] that have left
        self.buffered = 0  # header bytes included, so that tiny messages are bounded too


class LinkSender:
    """Queues messages within bounds and cuts them into pieces."""

    def __init__(self, flow: Flow) -> None:
        self._flow = _checked(flow)
        self._control = _SendLane(0, flow.control_buffer_bytes)
        self._bulk = _SendLane(_BULK, flow.send_buffer_bytes)
        self._counter = 0
        self._refused_cost = 0

    def __bool__(self) -> bool:
        """Tell whether anything waits to be sent."""
        return bool(self._control.queue or self._bulk.queue)

    def push(self, message: bytes, *, bulk: bool) -> bool:
        """Queue one message; False if its lane has no room. ValueError: empty or too large."""
        size = len(message)
        if not 0 < size <= self._flow.message_bytes:
            raise ValueError(
                f"a message of {size} bytes; message_bytes allows 1 to {self._flow.message_bytes}"
            )
        lane = self._bulk if bulk else self._control
        cost = size + HEADER_BYTES
        if lane.queue and lane.buffered + cost > lane.limit:  # an empty one takes any message
            if bulk:
                self._refused_cost = cost
            return False
        lane.queue.append(message)
        lane.buffered += cost
        return True

    def take_writable(self) -> bool:
        """Tell, once, that the bulk message refused last would fit now."""
        lane, cost = self._bulk, self._refused_cost
        if not cost or (lane.queue and lane.buffered + cost > lane.limit):
            return False
        self._refused_cost = 0
        return True

    def next_bytes(self, limit: int) -> bytes:
        """Return pieces, control first, up to the one that reaches `limit`; b"": none wait."""
        parts: list[bytes | memoryview] = []
        room = limit
        if self._control.queue:
            room = self._emit(self._control, parts, room)
        if self._bulk.queue:
            self._emit(self._bulk, parts, room)
        return b"".join(parts)  # the only copy on the way out

    def _emit(self, lane: _SendLane, parts: list[bytes | memoryview], room: int) -> int:
        queue, counter, piece_bytes = lane.queue, self._counter, self._flow.piece_bytes
        whole = lane.flags | _LAST
        pack = _HEADER.pack
        while room > 0 and queue:
            message = queue[0]
            length = len(message)
            if length <= piece_bytes:  # the hot path: small messages
                queue.popleft()
                word = length << 8 | whole
                parts.append(pack(counter, word, crc32(message, word)))
                parts.append(message)
                lane.buffered -= length + HEADER_BYTES
            else:
                payload, last = self._cut(lane, message)
                length = len(payload)
                word = length << 8 | (whole if last else lane.flags)
                parts.append(pack(counter, word, crc32(payload, word)))
                parts.append(payload)
            counter += 1
            room -= length + HEADER_BYTES
        self._counter = counter
        return room

    def _cut(self, lane: _SendLane, message: bytes) -> tuple[memoryview, bool]:
        start = lane.sent
        stop = min(start + self._flow.piece_bytes, len(message))
        lane.buffered -= stop - start
        lane.sent = stop
        last = stop == len(message)
        if last:
            lane.queue.popleft()
            lane.sent = 0
            lane.buffered -= HEADER_BYTES
        return memoryview(message)[start:stop], last


class LinkReceiver:
    """Checks pieces and joins them; holds at most one message a lane and one piece."""

    def __init__(self, flow: Flow) -> None:
        self._flow = _checked(flow)
        self.pieces = 0
        """Pieces taken so far; also the counter that the next one must carry."""
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._need = HEADER_BYTES
        self._parts: tuple[list[bytes], list[bytes]] = ([], [])  # by lane: control, bulk
        self._sizes = [0, 0]
        self._broken = ""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they came and return the messages that became whole, in order.

        ProtocolError: the stream is not (or no longer) ours; every later call raises as well.
        """
        if self._broken:
            raise ProtocolError(self._broken)
        if self._held:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes < self._need:
                return []
            data = b"".join(self._held)
            self._held.clear()
        messages: list[bytes] = []
        try:
            used = self._parse(data, messages)
        except ProtocolError as error:
            self._broken = str(error)
            self._parts[0].clear()
            self._parts[1].clear()
            raise
        if used < len(data):
            self._held.append(data[used:])
            self._held_bytes = len(data) - used
        return messages

    def _parse(self, data: bytes, messages: list[bytes]) -> int:
        offset, end = 0, len(data)
        piece_bytes, unpack_from = self._flow.piece_bytes, _HEADER.unpack_from
        while end - offset >= HEADER_BYTES:
            counter, word, checksum = unpack_from(data, offset)
            length = word >> 8
            if counter != self.pieces:
                raise ProtocolError(f"piece {counter} where {self.pieces} was due")
            if not 0 < length <= piece_bytes:
                raise ProtocolError(f"a piece of {length} bytes; must be 1 to {piece_bytes}")
            start = offset + HEADER_BYTES
            stop = start + length
            if stop > end:
                self._need = HEADER_BYTES + length
                return offset
            payload = data[start:stop]
            if crc32(payload, word) != checksum:
                raise ProtocolError(f"piece {counter} has a wrong checksum")
            self.pieces += 1
            offset = stop
            if word & 0xFF == _LAST and not self._sizes[0]:  # the hot path: one control piece
                messages.append(payload)
            else:
                self._join(payload, word & 0xFF, messages)
        self._need = HEADER_BYTES
        return offset

    def _join(self, payload: bytes, flags: int, messages: list[bytes]) -> None:
        if flags & ~_FLAGS:
            raise ProtocolError(f"unknown piece flags {flags:#x}")
        lane = flags & _BULK
        size = self._sizes[lane] + len(payload)
        limit = self._flow.message_bytes
        if size > limit:
            raise ProtocolError(f"a message longer than {limit} bytes")
        parts = self._parts[lane]
        parts.append(payload)
        self._sizes[lane] = size
        if flags & _LAST:
            messages.append(parts[0] if len(parts) == 1 else b"".join(parts))
            parts.clear()
            self._sizes[lane] = 0
