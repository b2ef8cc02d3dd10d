"""The public names type-check as a user writes them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_mypy_accepts_the_api_and_refuses_the_mistakes():
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--warn-unused-ignores", "tests/typing/api.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout
