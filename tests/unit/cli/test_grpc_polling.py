"""Which of gRPC's ways of polling a process takes."""

import os
import subprocess
import sys

import pytest

from kvraft.grpc_polling import choose_polling


@pytest.mark.parametrize("version", ["1.80.0", "1.85.1"])
def test_the_event_engine_is_left_out_where_it_is_the_default(monkeypatch, version):
    monkeypatch.delenv("GRPC_EXPERIMENTS", raising=False)
    choose_polling(version)
    assert "-event_engine_listener" in os.environ["GRPC_EXPERIMENTS"]
    monkeypatch.delenv("GRPC_EXPERIMENTS")


@pytest.mark.parametrize("version", ["1.71.2", "1.79.9", "1.86.0", "2.80.0"])
def test_other_versions_are_left_alone(monkeypatch, version):
    monkeypatch.delenv("GRPC_EXPERIMENTS", raising=False)
    choose_polling(version)
    assert "GRPC_EXPERIMENTS" not in os.environ


def test_what_people_chose_stays(monkeypatch):
    monkeypatch.setenv("GRPC_EXPERIMENTS", "event_engine_fork")
    choose_polling("1.85.1")
    assert os.environ["GRPC_EXPERIMENTS"] == "event_engine_fork"


def test_the_installed_grpc_knows_the_names():
    """It would complain of an unknown one in every process."""
    code = (
        "from kvraft.grpc_polling import choose_polling; choose_polling(); import grpc;"
        "grpc.insecure_channel('127.0.0.1:1').close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert "Unknown experiment" not in done.stderr
