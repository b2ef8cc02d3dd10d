"""The sync client is what its generator writes from the async one."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "generate_sync_client.py"


@pytest.fixture
def generator():
    spec = importlib.util.spec_from_file_location("generate_sync_client", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_sync_client_is_up_to_date():
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr


def test_a_stale_a_missing_and_a_left_over_file_are_noticed(generator, tmp_path):
    (tmp_path / "same.py").write_text("1")
    (tmp_path / "stale.py").write_text("2")
    (tmp_path / "left_over.py").write_text("3")
    wanted = {"same.py": "1", "stale.py": "two", "missing.py": "4"}

    found = generator.differences(wanted, tmp_path)

    assert found == ["left_over.py", "missing.py", "stale.py"]


def test_a_rule_that_matches_nothing_is_an_error(generator, tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")

    with pytest.raises(SystemExit, match="unused rules"):
        generator.twins(tmp_path)


def test_what_no_rule_translates_is_an_error(generator):
    with pytest.raises(SystemExit, match=r"_async/a\.py:2: no rule for: asyncio\.sleep"):
        generator.translate("import x\nasyncio.sleep(1)\n", "a.py", set())


def test_words_are_translated(generator):
    source = "async def f(c: AsyncClient) -> None:\n    async with c as k:\n        await k.put()\n"

    assert generator.translate(source, "a.py", set()).splitlines()[1:] == [
        "def f(c: Client) -> None:",
        "    with c as k:",
        "        k.put()",
    ]
