"""The protos and what is generated from them: no drift, clean, importable with every runtime."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "generate_protos.py"
MODULES = [
    f"kvraft.v1.{path.stem}{suffix}"
    for path in sorted((ROOT / "protos/kvraft/v1").glob("*.proto"))
    for suffix in ("_pb2", "_pb2_grpc")
]


def check(protos: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--check", "--protos", str(protos)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_generated_code_is_what_the_protos_say() -> None:
    done = check(ROOT / "protos")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "protos", tmp_path / "protos"))


def test_drift_is_found_in_each_of_its_forms(protos: Path) -> None:
    files = protos / "kvraft" / "v1"
    kv = files / "kv_messages.proto"
    kv.write_text(kv.read_text().replace("bool keys_only = 5;", "bool keys_alone = 5;"))
    (files / "watch.proto").unlink()
    (files / "extra.proto").write_text('syntax = "proto3";\npackage kvraft.v1;\n')
    done = check(protos)
    assert done.returncode == 1
    assert "kvraft/v1/kv_messages_pb2.py: differs from its proto" in done.stderr
    assert "kvraft/v1/watch_pb2.py: its proto is gone" in done.stderr
    assert "kvraft/v1/extra_pb2.pyi: not checked in" in done.stderr


def test_another_generator_is_refused(tmp_path: Path) -> None:
    """A newer one would emit code that the oldest supported runtime refuses to import."""
    fake = tmp_path / "grpcio_tools-1.85.1.dist-info"
    fake.mkdir()
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: grpcio-tools\nVersion: 1.85.1\n")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "needs grpcio-tools==1.71.2, found 1.85.1" in done.stderr


def run_buf(arguments: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run buf from npm; skip where npm or its registry cannot be reached."""
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("buf needs npx, which is not installed")
    command = [npx, "--yes", "@bufbuild/buf@1.75.0"]
    probe = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, timeout=90, check=False
    )
    if probe.returncode != 0:
        pytest.skip(f"buf cannot be had from npm: {probe.stderr.strip()[-200:]}")
    return subprocess.run(
        [*command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_buf_finds_nothing() -> None:
    done = run_buf(["lint"], ROOT / "protos")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_buf_would_find_something(protos: Path) -> None:
    error = protos / "kvraft" / "v1" / "error.proto"
    error.write_text(error.read_text() + "enum Bad { GOOD = 0; }\n")
    done = run_buf(["lint"], protos)
    assert done.returncode != 0
    assert "_UNSPECIFIED" in done.stdout


RUNTIMES = {
    "oldest": ["protobuf>=5.29,<6", "grpcio==1.71.2"],
    "protobuf 6": ["protobuf>=6,<7", "grpcio"],
    "newest": ["protobuf>=7,<8", "grpcio"],
}
ROUND_TRIP = f"""
import importlib, sys
import google.protobuf, grpc
for name in {MODULES!r}:
    importlib.import_module(name)
from kvraft.v1 import error_pb2, kv_pb2
sent = kv_pb2.PutRequest(key=b"k", value=b"\\x00\\xff", lease_id=0)
back = kv_pb2.PutRequest.FromString(sent.SerializeToString())
assert back == sent and back.HasField("lease_id") and not back.HasField("ttl_ms")
info = error_pb2.ErrorInfo(reason="R", domain="kvraft", metadata={{"outcome": "UNKNOWN"}})
assert error_pb2.ErrorInfo.FromString(info.SerializeToString()).metadata["outcome"] == "UNKNOWN"
print(google.protobuf.__version__, grpc.__version__)
"""


def install(packages: list[str], target: Path) -> None:
    """Install into `target`; skip only where no index answers."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--only-binary", ":all:", "--target", str(target), *packages],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    offline = "Failed to establish a new connection", "Temporary failure in name resolution"
    if done.returncode != 0 and any(sign in done.stderr for sign in offline):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_generated_code_runs_on(runtime: str, tmp_path: Path) -> None:
    install(RUNTIMES[runtime], tmp_path)
    (tmp_path / "kvraft").symlink_to(ROOT / "kvraft")
    # -S: nothing of the environment that runs the tests is seen.
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", ROUND_TRIP],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0, done.stderr
    protobuf = done.stdout.split()[0]
    wanted = {"oldest": "5.", "protobuf 6": "6.", "newest": "7."}[runtime]
    assert protobuf.startswith(wanted), done.stdout
