"""Values are cheap to make, and still equal, hashed and unchangeable like frozen ones."""

import subprocess
import sys
from pathlib import Path

import pytest

from kvraft.core.commands import Delete, Put, Request, SessionIdentity

ROOT = Path(__file__).parents[3]


def test_nobody_may_change_one():
    checked = subprocess.run(  # each `type: ignore` there that nothing needs is an error
        [sys.executable, "-m", "mypy", "--warn-unused-ignores", "tests/typing/values.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_they_are_equal_and_hashed_by_their_fields():
    one, same, other = Put(b"k", b"v"), Put(b"k", b"v"), Put(b"k", b"w")
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert Delete(b"k") != Put(b"k", False)
    identity = SessionIdentity(1, 2, 1)
    assert Request(one, identity=identity) == Request(one, identity=identity, digest=b"x")
    assert len({one, same, other, Request(one, digest=b"x"), Request(one)}) == 3


def test_they_have_no_room_for_more():
    with pytest.raises(AttributeError):
        Put(b"k", b"v").more = 1
