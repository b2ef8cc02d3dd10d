"""Ports for private clusters: free, and nobody else's while a run lasts."""

import socket
import subprocess
import sys

import pytest

from kvraft_chaos import ports
from kvraft_chaos.ports import BLOCK, free_base_port, free_ports

ANOTHER = """
import random
random.sample = lambda firsts, _: [{first}, *firsts]  # it would have our block before any other
from kvraft_chaos.ports import free_ports
print(*free_ports(200))
"""


def test_another_run_takes_none_of_ours():
    ours = set(free_ports(9))
    first = ports._block().first
    assert ours <= set(range(first, first + BLOCK))
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER.format(first=first)],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    others = {int(port) for port in done.stdout.split()}
    assert len(others) == 200
    assert not others & set(range(first, first + BLOCK))


def test_ports_are_not_given_again_soon():
    given = [port for _ in range(10) for port in free_ports(10)]
    assert len(set(given)) == 100


def test_taken_ports_are_left_out():
    (one,) = free_ports(1)
    with socket.create_server(("127.0.0.1", one)):
        for _ in range(3 * BLOCK):
            assert free_ports(1) != [one]


def test_a_base_has_free_neighbours():
    base = free_base_port(3, 10)
    bases = {free_base_port(3, 10) for _ in range(4)}
    assert all(abs(base - other) >= 30 for other in bases)
    with socket.create_server(("127.0.0.1", base + 21)):
        for _ in range(2 * BLOCK):
            other = free_base_port(3, 10)
            assert base + 21 - other not in (0, 1, 10, 11, 20, 21)


@pytest.mark.parametrize("low", [1_024, 10_000, ports.LOWEST + BLOCK - 1, 32_768])
def test_a_kernel_that_uses_nearly_all_ports_itself_is_no_reason_to_have_none(
    monkeypatch, tmp_path, low
):
    monkeypatch.setattr(ports, "EPHEMERAL", tmp_path / "range")
    ports.EPHEMERAL.write_text(f"{low}\t65535\n")

    block = ports._block.__wrapped__()  # of another process, as it were

    assert ports.LOWEST <= block.first <= ports.EPHEMERAL_LOW - BLOCK
    block._name.close()


@pytest.mark.parametrize("ask", [lambda: free_ports(BLOCK + 1), lambda: free_base_port(99, 10)])
def test_more_than_there_are(ask):
    with pytest.raises(OSError, match="needed"):
        ask()
