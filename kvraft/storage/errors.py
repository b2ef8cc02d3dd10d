"""What storage can fail with. Every one of them stops the node: none may be retried or ignored."""
# ruff: noqa: N818 - the names say what was found ("a damaged log"), as operators read them

REJOIN_ADVICE = (
    "stop this node, keep the directory for inspection, and start the node on an empty directory "
    "with --rejoin"
)


class StorageError(Exception):
    """Base of all storage failures. What was being written then is UNKNOWN until a restart."""


class DamagedFile(StorageError):
    """Bytes on disk that no crash of this node can explain; names the file and the offset."""

    def __init__(
        self, file: str, offset: int, problem: str, what_to_do: str = REJOIN_ADVICE
    ) -> None:
        super().__init__(f"{file} is damaged at offset {offset}: {problem}; {what_to_do}")
        self.file = file
        self.offset = offset
        self.what_to_do = what_to_do


class DamagedLog(DamagedFile):
    """A hole, a gap or a missing segment in the write-ahead log, other than a torn tail."""


class DamagedSnapshot(DamagedFile):
    """A snapshot or backup file (or CURRENT) that fails its checksums."""


class WrongDirectory(StorageError):
    """The data directory belongs to another node, or is not one that can be used this way."""


class AlreadyLocked(StorageError):
    """Another process has the data directory open."""


class DiskFull(StorageError):
    """No space, quota or file size limit left; names the path and the free bytes."""

    def __init__(self, path: str, free_bytes: int, operation: str) -> None:
        super().__init__(
            f"disk full: {operation} of {path} failed with {free_bytes} bytes free; "
            "free some space and start the node again"
        )
        self.path = path
        self.free_bytes = free_bytes


class DiskFailed(StorageError):
    """The system refused an operation; after a failed fsync nothing on disk is certain."""

    def __init__(self, path: str, operation: str, reason: str) -> None:
        super().__init__(f"{operation} of {path} failed: {reason}")
        self.path = path
        self.operation = operation
