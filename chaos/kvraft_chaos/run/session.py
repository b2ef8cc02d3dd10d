"""One run from nothing to a directory that can be judged; nothing else is left of it."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from kvraft_chaos.cluster import KVRAFT, ChaosCluster
from kvraft_chaos.history import Recorder
from kvraft_chaos.negatives.catalogue import NEGATIVES
from kvraft_chaos.nemesis.catalogue import rig_for
from kvraft_chaos.nemesis.conduct import HealError
from kvraft_chaos.nemesis.plan import Plan
from kvraft_chaos.nemesis.planning import write_plan
from kvraft_chaos.observed import ClusterError
from kvraft_chaos.proxies import Proxies, ToxiproxyError
from kvraft_chaos.run.directory import Mark, RunDirectory
from kvraft_chaos.run.errors import RunError
from kvraft_chaos.run.loops import loops
from kvraft_chaos.run.marks import Marks
from kvraft_chaos.run.play import Play, pauses_clients
from kvraft_chaos.run.scoreboard import Scoreboard
from kvraft_chaos.toxiproxy.find import found_server

LATEST = "latest"

View = Callable[[Scoreboard], AbstractContextManager[Callable[[Mark], None]]]
"""Shows a run while it goes on, and hears of each mark."""


@contextmanager
def found_proxies() -> Iterator[Proxies]:
    """The Toxiproxy server of this run, as the environment says."""
    with found_server(os.environ) as proxies:
        yield proxies


def make_directory(path: Path) -> RunDirectory:
    """Make it, and let `latest` beside it point there."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise RunError(f"{path} is there already, and not empty")
    path.mkdir(parents=True, exist_ok=True)
    latest = path.parent / LATEST
    if latest.is_symlink() or not latest.exists():
        new = path.parent / f".{LATEST}-{os.getpid()}"
        new.symlink_to(path.name)
        new.replace(latest)  # at once: runs of a campaign do this at the same time
    return RunDirectory(path)


def run(
    plan: Plan,
    path: Path,
    stop: threading.Event,
    view: View,
    *,
    proxies: Callable[[], AbstractContextManager[Proxies]] = found_proxies,
) -> RunDirectory:
    """Play the plan on a cluster of its own. RunError where it could not be played."""
    try:
        with proxies() as server:
            directory = make_directory(path)
            write_plan(plan, directory.plan)
            with (
                Recorder(directory.history) as recorder,
                view(Scoreboard(recorder)) as told,
                Marks(directory.faults, told) as marks,
                _cluster(plan, server, directory) as cluster,
                loops(own=pauses_clients(plan)) as clients,
            ):
                Play(plan, cluster, recorder, marks, clients, stop).play()
    except (ClusterError, ToxiproxyError, HealError) as error:
        raise RunError(str(error)) from error
    return directory


@contextmanager
def _cluster(plan: Plan, server: Proxies, directory: RunDirectory) -> Iterator[ChaosCluster]:
    """In a temp folder; only its logs are kept."""
    negative = NEGATIVES[plan.negative] if plan.negative else None
    with tempfile.TemporaryDirectory(prefix="kvraft-chaos-") as folder:
        cluster = ChaosCluster(
            Path(folder) / "nodes",
            server,
            names=plan.nodes,
            command=negative.command if negative else KVRAFT,
            prefix=f"{Path(folder).name}-",  # a server at a URL may be shared
            rig=rig_for([step.fault for step in plan.steps]),
        )
        try:
            with cluster:
                yield cluster
                for node in cluster.nodes.values():  # a clean end is of no use to what is removed
                    if node.running:
                        cluster.kill(node.name)
        finally:
            _keep_logs(cluster, directory)


def _keep_logs(cluster: ChaosCluster, directory: RunDirectory) -> None:
    directory.logs.mkdir(exist_ok=True)
    for node in cluster.nodes.values():
        if node.log.exists():
            shutil.copy(node.log, directory.logs / f"{node.name}.log")
