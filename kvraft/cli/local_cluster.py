"""A cluster of node processes on this machine: start what is not running, stop, look.

Each node has a directory of its own: `data/` (its data directory), `log`, `pid`.
"""

import contextlib
import errno
import fcntl
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kvraft.config import CLIENT_PORT, MEMBER_COUNTS, PEER_PORT, PORT_STEP
from kvraft_client import Client, KvraftError

STOP_WAIT_S = 10.0
"""A node that has not ended this long after SIGTERM is killed: it drains within a second or two."""
START_WAIT_S = 30.0
"""Longest wait for a leader: a restart with a full log takes seconds, fresh nodes about one."""
PROBE_S = 1.0
"""Longest wait for one node's word."""
POLL_S = 0.02
"""How often a process is looked at while waiting for it."""
HOST = "127.0.0.1"
DATA_DIR = b"--data-dir"


class ClusterError(Exception):
    """The cluster cannot be started or found; one line for people."""


@dataclass(frozen=True, slots=True)
class LocalNode:
    """One node of a local cluster: its name, ports and directory."""

    name: str
    directory: Path
    client_port: int
    peer_port: int

    @property
    def endpoint(self) -> str:
        """Where clients reach it."""
        return f"{HOST}:{self.client_port}"

    @property
    def peer(self) -> str:
        """Where peers reach it."""
        return f"{HOST}:{self.peer_port}"

    @property
    def log(self) -> Path:
        """Its standard error."""
        return self.directory / "log"

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.directory / "data"

    def pid(self) -> int | None:
        """Return the process id, or None where it is not running."""
        try:
            pid = int((self.directory / "pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if _serves(pid, self.data) else None

    def last_words(self) -> str:
        """Return the last line of its log: why it ended, if it did."""
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return "no log"
        return lines[-1] if lines else "an empty log"


def _serves(pid: int, data: Path) -> bool:
    """Whether the process is the node with this data: a pid is reused after its process ended."""
    process = Path(f"/proc/{pid}")
    try:
        stat = (process / "stat").read_text()
        words = (process / "cmdline").read_bytes().split(b"\0")
        folder = (process / "cwd").readlink()
    except OSError:
        return not Path("/proc/self").exists()  # no /proc here: believe the file
    if stat.rpartition(")")[2].split()[0] == "Z":
        return False
    if words == [b""]:  # within exec, before its arguments are in place
        return True
    given = [os.fsdecode(after) for word, after in itertools.pairwise(words) if word == DATA_DIR]
    return any((folder / each).resolve() == data.resolve() for each in given)


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """All nodes that one directory describes."""

    directory: Path
    nodes: tuple[LocalNode, ...]

    @property
    def endpoints(self) -> str:
        """The client's constructor argument."""
        return ",".join(node.endpoint for node in self.nodes)


def describe(directory: Path, count: int | None, base_port: int | None) -> LocalCluster:
    """Return the cluster in `directory`; what is given must agree with what is there."""
    file = directory / "cluster.json"
    if file.exists():
        known = _read_description(file)
        for option, given, stored in (
            ("--nodes", count, known[0]),
            ("--base-port", base_port, known[1]),
        ):
            if given is not None and given != stored:
                raise ClusterError(f"{option}: {file} says {stored}, got {given}")
        count, base_port = known
    else:
        count, base_port = count or 3, base_port or CLIENT_PORT
        if count not in MEMBER_COUNTS:
            raise ClusterError(f"--nodes: 3 or 5, got {count}")
        last = base_port + (count - 1) * PORT_STEP + PEER_PORT - CLIENT_PORT
        if base_port < 1 or last >= 1 << 16:
            raise ClusterError(f"--base-port: ports up to {last} do not fit, got {base_port}")
    nodes = []
    for number in range(count):
        name, port = f"n{number + 1}", base_port + number * PORT_STEP
        nodes.append(LocalNode(name, directory / name, port, port + PEER_PORT - CLIENT_PORT))
    return LocalCluster(directory, tuple(nodes))


def _read_description(file: Path) -> tuple[int, int]:
    try:
        content = json.loads(file.read_text())
        return int(content["nodes"]), int(content["base_port"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(f"{file} does not describe a cluster: {error}") from error


def start(cluster: LocalCluster, extra: Sequence[str] = ()) -> list[LocalNode]:
    """Start every node that is not running; return them. On any failure none of them is left.

    `extra` are further options of `kvraft serve`.
    """
    missing = [node for node in cluster.nodes if node.pid() is None]
    _check_ports(missing)
    started: list[LocalNode] = []
    with _described(cluster), _stopped_on_failure(started):
        missing = [node for node in missing if node.pid() is None]
        _check_ports(missing)  # another `start` may have held the lock meanwhile
        for node in missing:
            _spawn(cluster, node, extra)
            started.append(node)
    return started


def restore(cluster: LocalCluster, backup: Path) -> list[LocalNode]:
    """Start a new cluster whose first state is `backup`; every node must be fresh."""
    if not backup.is_file():
        raise ClusterError(f"--restore: there is no file {backup}")
    for node in cluster.nodes:
        if node.data.exists():
            raise ClusterError(
                f"--restore begins a new cluster, and {node.data} is there already: "
                "move it away, or name another --dir"
            )
    return start(cluster, ("--restore", str(backup.absolute())))


@contextlib.contextmanager
def _described(cluster: LocalCluster) -> Iterator[None]:
    """Hold the cluster's directory against a second `start`, with its description in place."""
    description = {"nodes": len(cluster.nodes), "base_port": cluster.nodes[0].client_port}
    try:
        cluster.directory.mkdir(parents=True, exist_ok=True)
        folder = os.open(cluster.directory, os.O_RDONLY)
    except OSError as error:
        raise ClusterError(f"cannot use {cluster.directory}: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        new = cluster.directory / "cluster.json.new"
        new.write_text(json.dumps(description) + "\n")
        new.replace(cluster.directory / "cluster.json")
        yield
    except OSError as error:
        raise ClusterError(f"cannot write {cluster.directory}: {error.strerror}") from error
    finally:
        os.close(folder)


def is_ready(cluster: LocalCluster) -> bool:
    """Whether every node counts, a majority is in contact, and a linearizable read is answered."""
    with Client(cluster.endpoints, timeout=PROBE_S) as client:
        answers = client.status(timeout=PROBE_S)
        if not all(answer.quorum_reachable and answer.cluster_id for answer in answers):
            return False
        try:
            client.get("kvraft/ready")
        except KvraftError:
            return False
    return True


def _what_lacks(cluster: LocalCluster) -> str:
    """Name the nodes that do not count yet, each with the last line of its log."""
    with Client(cluster.endpoints) as client:
        answers = client.status(timeout=PROBE_S)
    pairs = zip(cluster.nodes, answers, strict=True)
    silent = [node for node, answer in pairs if not (answer.quorum_reachable and answer.cluster_id)]
    words = [f"{node.name}: {node.last_words()}" for node in silent]
    return "; ".join(words) or f"no read was answered; logs are in {cluster.directory}"


def wait_until_ready(
    cluster: LocalCluster, started: list[LocalNode], timeout_s: float = START_WAIT_S
) -> None:
    """Wait for `is_ready`; a node that ended, or the time, raises and stops what was started."""
    end = time.monotonic() + timeout_s
    with _stopped_on_failure(started):
        while not is_ready(cluster):
            for node in cluster.nodes:
                if node.pid() is None:
                    raise ClusterError(f"{node.name} ended: {node.last_words()}")
            if time.monotonic() >= end:
                raise ClusterError(f"not ready after {timeout_s:.0f} s: {_what_lacks(cluster)}")
            time.sleep(POLL_S)


@contextlib.contextmanager
def _stopped_on_failure(started: list[LocalNode]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        stop(started)
        raise


def stop(nodes: list[LocalNode]) -> list[str]:
    """End these nodes, politely first; return the names of those that were running."""
    running = [(node, pid) for node in nodes if (pid := node.pid()) is not None]
    for _, pid in running:
        _signal(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_WAIT_S
    for node, pid in running:
        while node.pid() is not None and time.monotonic() < end:
            _reap(pid)
            time.sleep(POLL_S)
        if node.pid() is not None:
            _signal(pid, signal.SIGKILL)
            while node.pid() is not None:
                _reap(pid)
                time.sleep(POLL_S)
        (node.directory / "pid").unlink(missing_ok=True)
    return [node.name for node, _ in running]


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _reap(pid: int) -> None:
    """Collect an ended child, where it is one of ours."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _check_ports(nodes: Sequence[LocalNode]) -> None:
    for port in (port for node in nodes for port in (node.client_port, node.peer_port)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise ClusterError(f"port {port} is in use by another program") from error
                raise ClusterError(f"port {port} cannot be used: {error.strerror}") from error


def _spawn(cluster: LocalCluster, node: LocalNode, extra: Sequence[str]) -> None:
    peers = ",".join(f"{peer.name}={peer.peer}" for peer in cluster.nodes)
    command = [sys.executable, "-m", "kvraft", "serve", "--name", node.name]
    command += [os.fsdecode(DATA_DIR), str(node.data.absolute()), "--listen", node.endpoint]
    command += ["--peer-listen", node.peer, "--peers", peers, *extra]
    try:
        node.directory.mkdir(parents=True, exist_ok=True)
        with node.log.open("ab") as log, (node.directory / "pid").open("w") as file:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the shell is not for the cluster
            )
            try:
                file.write(f"{process.pid}\n")
                file.flush()
            except OSError:  # a node that nobody could find again must not be left
                process.kill()
                process.wait()
                raise
    except OSError as error:
        raise ClusterError(f"cannot start {node.name}: {error.strerror}") from error
    process.returncode = 0  # not awaited by Popen: the node outlives this command
