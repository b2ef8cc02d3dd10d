"""What the pages claim stands in the code: limits, reasons, files, tests."""

import re
from pathlib import Path

import pytest

from kvraft.core.errors import Reason
from kvraft.core.limits import JSON_DEPTH, ApplyLimits, RequestLimits
from kvraft.replica.limits import ReplicaLimits
from kvraft_client._async.modifying import ATTEMPTS_MAX
from kvraft_client._async.transacting import RUNS_MAX
from kvraft_client.config import DEFAULT_TIMEOUT_S
from kvraft_client.policy.budget import BURST, PER_SECOND
from kvraft_client.policy.retry import RetrySettings
from kvraft_client.policy.watch import WATCH_RETRY

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
GUARANTEES = (ROOT / "docs/guarantees.md").read_text()
NOT_FOR_CLIENTS = {Reason.CORRUPT, Reason.MEMBER_UNKNOWN}


def test_every_reason_a_client_can_hear_is_explained() -> None:
    missing = {reason for reason in Reason if f"{reason}" not in GUARANTEES}

    assert missing <= NOT_FOR_CLIENTS


def test_the_limits_are_those_of_the_code() -> None:
    requests, applies = RequestLimits(), ApplyLimits()

    assert f"1 to {requests.key_bytes:,} B" in GUARANTEES
    assert f"{requests.value_bytes >> 20} MiB" in GUARANTEES
    assert f"{requests.request_bytes / (1 << 20)} MiB" in GUARANTEES
    assert f"{requests.page_entries:,} entries or {requests.page_bytes >> 20} MiB" in GUARANTEES
    assert f"{requests.state_bytes >> 20} MiB of keys and values" in GUARANTEES
    for number in (
        applies.touched_entries,
        applies.leases,
        applies.ttl_leases,
        applies.keys_per_lease,
    ):
        assert f"{number:,}" in GUARANTEES
    assert f"{requests.clauses} clauses, {requests.condition_depth} levels" in GUARANTEES
    assert f"| actions of one update | {requests.actions} |" in GUARANTEES
    assert f"{requests.txn_operations} operations, those of nested" in GUARANTEES
    assert f"{JSON_DEPTH} levels; {applies.json_bytes >> 10} KiB parsed" in GUARANTEES
    assert f"one command write | {applies.written_bytes >> 20} MiB |" in GUARANTEES
    assert f"1 to {requests.idempotency_key_bytes} B" in GUARANTEES
    assert (applies.ttl_min_ms, applies.ttl_max_ms) == (1_000, 24 * 3_600_000)


def test_the_bounds_of_what_is_kept_are_those_of_the_code() -> None:
    applies, replicas = ApplyLimits(), ReplicaLimits()
    outcomes = f"{applies.outcome_records:,} and {applies.outcome_bytes >> 20} MiB"

    assert f"{applies.sessions:,}; {applies.session_window:,} unacknowledged" in GUARANTEES
    assert f"| outcomes kept | {outcomes} (" in GUARANTEES
    assert f"| history | {applies.history_bytes >> 20} MiB |" in GUARANTEES
    assert f"the last {applies.history_revisions:,} revisions" in GUARANTEES
    lengths = f"{applies.prefix_lengths} different lengths"
    assert f"| invariants | {applies.invariants:,}; {lengths} of prefixes |" in GUARANTEES
    buffered = f"{replicas.watches:,}; {replicas.watch_total_bytes >> 20} MiB buffered"
    assert f"| watches of a node | {buffered} for all of them |" in GUARANTEES
    assert f"a revision above {replicas.watch_message_bytes >> 10} KiB" in GUARANTEES
    assert f"without one for {replicas.watch_leaderless_ms // 1_000} s" in GUARANTEES
    assert f"An answer above {applies.outcome_reply_bytes >> 10} KiB" in GUARANTEES
    assert f"{applies.reply_bytes / (1 << 20)} MiB together" in GUARANTEES
    hour, ten_minutes = 3_600_000, 600_000
    assert (applies.history_ms, applies.session_idle_ms) == (hour, hour)
    assert applies.key_retention_ms == ten_minutes


def test_the_retries_are_those_of_the_client() -> None:
    settings = RetrySettings()
    waits = f"0 to {settings.first_s * 1_000:.0f} ms, doubling to {settings.max_s * 1_000:.0f} ms"

    assert waits in GUARANTEES
    assert f"{PER_SECOND:.0f} times a second, bursts of {BURST}" in GUARANTEES
    assert f"within the call's timeout ({DEFAULT_TIMEOUT_S:.0f} s)" in GUARANTEES
    assert f"waits up to {WATCH_RETRY.max_s:.0f} s" in GUARANTEES
    assert f"{ATTEMPTS_MAX} attempts, {RUNS_MAX} runs" in GUARANTEES
    assert settings.resend_s == 300.0
    assert "stops re-sending after five minutes" in GUARANTEES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_into_a_page_meets_a_heading(page: Path) -> None:
    text = page.read_text()
    for name, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text):
        target = (page.parent / name).read_text() if name else text
        headings = re.findall(r"^#+ (.+)$", target, flags=re.MULTILINE)
        assert anchor in {
            re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings
        }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_at_exists(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    files = re.findall(
        r"`((?:tests|kvraft|chaos|client|docs|scripts|benchmarks)/[\w./-]+\.\w+)", text
    )

    assert [link for link in links if not (page.parent / link).exists()] == []
    assert [file for file in files if not (ROOT / file).exists()] == []
