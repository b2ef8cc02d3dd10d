"""The recipes without faults: edges and refusals; and their pages and examples, run as shown."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kvraft_client import (
    Client,
    InvalidRequest,
    KeyReused,
    LockTimeout,
    actions,
    operations,
    recipes,
)
from kvraft_client.conditions import number

RECIPES = Path(__file__).resolve().parents[2] / "docs/recipes"
PAGES = sorted(path.stem for path in RECIPES.glob("*.md") if path.stem != "README")
EXAMPLES = sorted(path.stem for path in RECIPES.glob("examples/*.py"))
HEADINGS = ["Resource", "Owner", "Expires", "Recovers", "Promises", "Does not promise"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_ends(name, module_cluster):
    path = RECIPES / "examples" / f"{name}.py"
    for _ in range(2):  # what the first run left does not hinder the second one
        run = subprocess.run(
            [sys.executable, "-W", "error", str(path)],
            env={**os.environ, "KVRAFT_ENDPOINTS": module_cluster.endpoints},
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0, run.stderr

    shown = re.search(r"^```text\n(.*?)^```$", page(name), flags=re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert run.stdout == shown[1]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_answers_the_same_questions_and_shows_its_example(name):
    text = page(name)
    assert re.findall(r"^- \*\*(.+?)\.\*\*", text, flags=re.MULTILINE) == HEADINGS
    assert f"(examples/{name}.py)" in text

    example = {line.strip() for line in (RECIPES / f"examples/{name}.py").read_text().splitlines()}
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in code.splitlines() if line.strip() not in {*example, ""}] == []


def test_every_recipe_has_a_page_and_an_example():
    index = (RECIPES / "README.md").read_text()

    assert PAGES == EXAMPLES
    assert sorted(re.findall(r"\((\w+)\.md\)", index)) == PAGES
    for name in recipes.__all__:
        plain = name.removeprefix("Async")
        assert any(plain in page(each) for each in PAGES), f"no page speaks of {plain}"
        assert plain in recipes.__all__


def page(name):
    return (RECIPES / f"{name}.md").read_text()


@pytest.fixture
def kv(module_cluster):
    with Client(module_cluster.endpoints) as client:
        yield client


def test_a_transfer_that_cannot_be_is_refused_with_its_reason(kv):
    accounts = recipes.Accounts(kv, "edge/bank")
    assert accounts.open("ann", 10)
    assert not accounts.open("ann", 99)
    accounts.open("bob")
    assert accounts.transfer("1", payer="ann", payee="bob", amount=4)
    with pytest.raises(KeyReused, match="was another: 4 'ann' 'bob'"):
        accounts.transfer("1", payer="ann", payee="bob", amount=5)
    with pytest.raises(InvalidRequest, match="'cyd': no such account"):
        accounts.transfer("2", payer="ann", payee="cyd", amount=1)
    for payee, amount in (("ann", 1), ("bob", 0), ("bob", -1)):
        with pytest.raises(InvalidRequest, match="cannot move"):
            accounts.transfer("3", payer="ann", payee=payee, amount=amount)
    assert (accounts.balance("ann"), accounts.balance("bob")) == (6, 4)
    assert accounts.balance("cyd") is None


def test_what_is_given_back_can_be_had_again(kv):
    seats = recipes.Seats(kv, "edge/show")
    assert seats.open(1)
    assert not seats.open(5)
    assert not seats.give_back("ann")
    assert seats.take("ann")
    assert seats.give_back("ann")
    assert not seats.give_back("ann")
    assert seats.free() == 1

    quota = recipes.Quota(kv, "edge/quota", "eu", chunk=10)
    quota.open(15)
    assert quota.spend(1)
    assert not quota.give_back(10)
    assert quota.give_back(9)
    assert quota.spend(14)
    assert not quota.spend(1)


def test_a_confirmed_order_stays_and_a_cancelled_one_goes(kv):
    rooms = recipes.Reservations(kv, "edge/rooms", 2)
    assert rooms.hold("a", 1.0)
    assert rooms.confirm("a")
    assert rooms.confirm("a")
    assert not rooms.cancel("a")
    assert rooms.hold("b", 60.0)
    assert not rooms.hold("c", 60.0)
    assert rooms.cancel("b")
    assert not rooms.cancel("b")
    assert not rooms.confirm("b")
    entry = kv.get("edge/rooms/a")
    assert entry is not None
    assert entry.lease_id == 0, "a confirmed order would expire"
    assert rooms.taken() == {"a": True}


def test_tokens_that_were_sold_are_not_minted_again(kv):
    pool = recipes.TokenPool(kv, "edge/tokens")
    codes = [f"T{number}" for number in range(150)]
    pool.mint(codes)
    bought = pool.take("1", 64)
    pool.mint(codes)
    assert recipes.TokenPool(kv, "edge/tokens").take("1", 64) == bought
    rest = pool.take("2", 64) + pool.take("3", 22)
    assert sorted(bought + rest) == sorted(codes)
    assert pool.take("4") == ()
    with pytest.raises(InvalidRequest, match="1 to 64 tokens, not 65"):
        pool.take("5", 65)


def test_bounds_are_named(kv):
    with pytest.raises(InvalidRequest, match="batch must be 1 to 5, not 6"):
        recipes.RateLimiter(kv, "edge/rate", limit=5, window=1.0, batch=6)
    with pytest.raises(InvalidRequest, match="chunk must be at least 1"):
        recipes.Quota(kv, "edge/quota", "eu", chunk=0)
    with pytest.raises(InvalidRequest, match="an amount is at least 1, not 0"):
        recipes.Quota(kv, "edge/quota", "eu", chunk=1).spend(0)
    with pytest.raises(InvalidRequest, match="a word without '/'"):
        recipes.WorkQueue(kv, "edge/work").add("a/b", b"")


def test_a_saga_whose_condition_fails_is_undone_and_one_that_raises_goes_on(kv):
    seats = number("edge/saga/seats")
    seat = operations.update("edge/saga/seats", actions.add(-1))
    back = operations.update("edge/saga/seats", actions.add(1))
    kv.put("edge/saga/seats", "1")
    calls = []

    def flaky(key):
        calls.append(key)
        if len(calls) == 1:
            raise TimeoutError
        return recipes.Effect()

    take = recipes.Step(
        lambda _: recipes.Effect([seat], seats >= 1), lambda _: recipes.Effect([back])
    )
    first = recipes.Saga(kv, "edge/saga/1", [take, recipes.Step(flaky, flaky)])
    with pytest.raises(TimeoutError):
        first.run()
    assert first.run()
    assert first.run()
    assert calls == ["edge/saga/1/1/do"] * 2

    second = recipes.Saga(kv, "edge/saga/2", [take, recipes.Step(flaky, flaky)])
    assert not second.run()
    assert not second.run()
    entry = kv.get("edge/saga/seats")
    assert entry is not None
    assert entry.value == b"0"


def test_a_days_job_that_raised_is_run_again_only_if_asked_for(kv):
    runs = []

    def work(run):
        runs.append(run.lock.token)
        raise LookupError

    for retry, attempts in ((False, 1), (True, 2)):
        job = recipes.DailyJob(kv, f"edge/nightly-{retry}", retry=retry)
        with pytest.raises(LookupError):
            job.run("monday", work)
        if retry:
            with pytest.raises(LookupError):
                job.run("monday", work)
        else:
            assert not job.run("monday", work)
        assert len(runs) == attempts
        runs.clear()


def test_a_job_that_somebody_is_at_is_left_to_it(kv):
    job = recipes.DailyJob(kv, "edge/busy")
    with kv.lock("edge/busy"), ThreadPoolExecutor(1) as somebody_else:
        assert not somebody_else.submit(job.run, "monday", print).result()

    def needs_another(_run):
        raise LockTimeout("another lock")

    with pytest.raises(LockTimeout, match="another lock"):
        job.run("monday", needs_another)


def test_an_item_with_an_id_is_added_once(kv):
    queue = recipes.WorkQueue(kv, "edge/items")
    queue.add("ann", b"1", "1")
    assert queue.work(lambda _key, _body: []) == 1
    queue.add("ann", b"1", "1")
    assert queue.work(lambda _key, _body: []) == 0
    assert queue.waiting() == []
