"""Generate `kvraft/v1` from `protos/`, with the oldest grpcio-tools that is supported.

Code of an older generator runs on every newer runtime; newer code refuses an older runtime when it
is imported. So exactly one version may generate, and the result is checked in.

    python scripts/generate_protos.py            write kvraft/v1
    python scripts/generate_protos.py --check    exit 1 if what is checked in differs
"""

import argparse
import filecmp
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

TOOLS_VERSION = "1.71.2"
ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = Path("kvraft/v1")
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")


def require_tools() -> None:
    """Refuse any other generator than the pinned one."""
    try:
        found = version("grpcio-tools")
    except PackageNotFoundError:
        found = "none"
    if found != TOOLS_VERSION:
        raise SystemExit(
            f"generate_protos: needs grpcio-tools=={TOOLS_VERSION}, found {found}; "
            f"run: pip install grpcio-tools=={TOOLS_VERSION}"
        )


def generate(protos: Path, out: Path) -> None:
    """Write the modules of every proto below `protos` under `out`."""
    sources = sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{protos}"]
    command += [f"--{kind}_out={out}" for kind in ("python", "grpc_python", "pyi")]
    done = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"generate_protos: protoc failed:\n{done.stderr}")


def generated_in(root: Path) -> set[str]:
    """Return the names of the generated modules under `root`."""
    return {p.name for p in (root / GENERATED).glob("*") if p.name.endswith(SUFFIXES)}


def drift(root: Path, fresh: Path) -> list[str]:
    """Say what of `root` differs from what was just generated into `fresh`."""
    here, there = generated_in(root), generated_in(fresh)
    complaints = [f"{GENERATED}/{name}: not checked in" for name in sorted(there - here)]
    complaints += [f"{GENERATED}/{name}: its proto is gone" for name in sorted(here - there)]
    for name in sorted(here & there):
        if not filecmp.cmp(root / GENERATED / name, fresh / GENERATED / name, shallow=False):
            complaints.append(f"{GENERATED}/{name}: differs from its proto")
    return complaints


def main(arguments: list[str]) -> int:
    """Generate, or with --check compare; 1 where they differ."""
    parser = argparse.ArgumentParser(description="Generate kvraft/v1 from protos/.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--protos", type=Path, default=PROTOS, help="where the protos are")
    options = parser.parse_args(arguments)
    require_tools()
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory)
        generate(options.protos, fresh)
        complaints = drift(ROOT, fresh)
        if options.check:
            for complaint in complaints:
                print(complaint, file=sys.stderr)
            if complaints:
                print("run: python scripts/generate_protos.py", file=sys.stderr)
            return 1 if complaints else 0
        for name in generated_in(ROOT):
            (ROOT / GENERATED / name).unlink()
        shutil.copytree(fresh, ROOT, dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
