"""Transfers while leaders are killed: the sum never changes, nobody overdraws, nothing twice."""

import asyncio
from dataclasses import replace
from random import Random

import pytest

from kvraft_chaos.checkers.bank import ACCOUNT, TRANSFER, check_log
from kvraft_chaos.checkers.store_log import Change
from kvraft_chaos.checkers.verdict import Verdict
from kvraft_chaos.transfers import Transfers
from kvraft_client import AsyncClient

ACCOUNTS = 100
CLIENTS = 16
KILLS = 3
PAUSE_SECONDS = 0.7
"""Before a kill, and before the killed node is started again: an election takes less."""


async def kill_leaders(cluster, progress, stop):
    """Kill whoever leads, and start it again after a while."""
    for _ in range(KILLS):
        await asyncio.sleep(PAUSE_SECONDS)
        leader = None
        while leader is None:
            leader = await asyncio.to_thread(cluster.leader)
        await asyncio.to_thread(cluster.kill, leader)
        progress(f"killed {leader}, the leader")
        await asyncio.sleep(PAUSE_SECONDS)
        cluster.start(leader)
    await asyncio.to_thread(cluster.wait_ready)
    stop.set()


async def client_of_its_own(endpoints, transfers, number, stop):
    async with AsyncClient(endpoints) as client:
        await transfers.make(client, Random(number), stop)


async def move_money(cluster, progress):
    """Return what the clients were told, the store's history, and its balances at the end."""
    endpoints = ",".join(cluster.endpoint(name) for name in cluster.names)
    transfers, stop = Transfers(ACCOUNTS), asyncio.Event()
    async with AsyncClient(endpoints, timeout=10.0) as teller:
        opened = await transfers.open(teller)
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(client_of_its_own(endpoints, transfers, number, stop))
            group.create_task(kill_leaders(cluster, progress, stop))
        closing = (await teller.put("closing", b"")).mod_revision
        changes = []
        async for event in teller.watch(prefix="", start_revision=opened + 1):
            if event.revision >= closing:
                break
            changes.append(Change(event.revision, event.key.decode(), event.entry.value.decode()))
        balances = {each.key: int(each.value) async for each in teller.list(ACCOUNT)}
    return transfers, changes, balances


@pytest.mark.smoke
def test_transfers_survive_the_death_of_leaders(cluster, progress):
    transfers, changes, balances = asyncio.run(move_money(cluster, progress))
    progress(
        f"{len(transfers.done)} done, {transfers.too_poor} refused for want of money, "
        f"{transfers.resolved} unknown at first, {transfers.refused} without a quorum"
    )
    report = check_log(changes, transfers.opening())
    progress(report.sentence())

    assert report.verdict is Verdict.VALID
    assert sum(balances.values()) == sum(transfers.opening().values())
    assert transfers.done <= report.transfers, "acknowledged, and not in the history"
    assert not transfers.never & report.transfers, "told as never applied, and in the history"
    assert len(transfers.done) >= 200, "hardly anything was transferred: nothing was tested"
    convicted = check_log(doubled(changes), transfers.opening())
    progress("negative control, one transfer counted twice: " + convicted.sentence())
    assert convicted.verdict is Verdict.INVALID


def doubled(changes):
    """The same log with the first transfer's revision once more at the end."""
    first = next(change.revision for change in changes if change.key.startswith(TRANSFER))
    again = [change for change in changes if change.revision == first]
    last = changes[-1].revision + 1
    return changes + [replace(change, revision=last) for change in again]
