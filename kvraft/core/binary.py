"""Reading bytes that may be anything: every length is checked before it is used.

Imports: stdlib, core errors. The invariant: whatever the bytes, a reader raises CodecError and
nothing else, and never allocates more than the bytes it was given.
"""

from struct import Struct
from typing import Any

from kvraft.core.errors import CodecError

U8 = Struct("<B")
U16 = Struct("<H")
U32 = Struct("<I")
I64 = Struct("<q")


class Reader:
    """A cursor over bytes; `subject` names in errors what is being read.

    Who reads a frequent layout in one go looks at `data` between `offset` and `end` itself.
    """

    __slots__ = ("data", "end", "offset", "subject")

    def __init__(self, data: bytes, subject: str, offset: int = 0, end: int | None = None) -> None:
        self.data = data
        self.offset = offset
        self.end = len(data) if end is None else end
        self.subject = subject

    def unpack(self, layout: Struct) -> tuple[Any, ...]:
        """Read one fixed layout."""
        start = self.offset
        end = start + layout.size
        if end > self.end:
            raise self._short(layout.size)
        self.offset = end
        return layout.unpack_from(self.data, start)

    def number(self, layout: Struct) -> int:
        """Read one number of a layout that holds one."""
        start = self.offset
        end = start + layout.size
        if end > self.end:
            raise self._short(layout.size)
        self.offset = end
        value: int = layout.unpack_from(self.data, start)[0]
        return value

    def take(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        start = self.offset
        end = start + size
        if end > self.end:
            raise self._short(size)
        self.offset = end
        return self.data[start:end]

    def accept(self, expected: bytes) -> bool:
        """Read these bytes, if they are what comes next."""
        if not self.data.startswith(expected, self.offset, self.end):
            return False
        self.offset += len(expected)
        return True

    def part(self, size: int, subject: str) -> "Reader":
        """Read exactly `size` bytes as a part of its own, without copying them."""
        start = self.offset
        end = start + size
        if end > self.end:
            raise self._short(size)
        self.offset = end
        return Reader(self.data, subject, start, end)

    def sized(self, length: Struct) -> bytes:
        """Read bytes behind their length."""
        return self.take(self.number(length))

    def text(self, length: Struct) -> str:
        """Read UTF-8 text behind its length in bytes."""
        raw = self.sized(length)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise CodecError(f"{self.subject}: {raw!r} is not UTF-8") from error

    def choice(self) -> bool:
        """Read one byte that is 0 or 1."""
        value = self.number(U8)
        if value > 1:
            raise CodecError(f"{self.subject}: {value} where 0 or 1 must stand")
        return value == 1

    def rest(self) -> bytes:
        """Read everything that is left."""
        start = self.offset
        self.offset = self.end
        return self.data[start : self.end]

    def ahead(self) -> memoryview:
        """Show everything that is left, without reading or copying it."""
        return memoryview(self.data)[self.offset : self.end]

    def finish(self) -> None:
        """Demand that nothing is left."""
        left = self.end - self.offset
        if left:
            raise CodecError(f"{self.subject}: {left} bytes behind the end")

    def _short(self, size: int) -> CodecError:
        left = self.end - self.offset
        return CodecError(f"{self.subject}: cut off, {size} bytes expected, {left} left")


def sized(length: Struct, data: bytes) -> bytes:
    """Encode bytes behind their length; `struct.error` if the length does not fit."""
    return length.pack(len(data)) + data
