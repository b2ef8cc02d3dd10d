"""What the pages claim stands in the code: limits, reasons, files, tests."""

import re
from pathlib import Path

import pytest

from kvraft.core.errors import Reason
from kvraft.core.limits import ApplyLimits, RequestLimits

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
GUARANTEES = (ROOT / "docs/guarantees.md").read_text()
NOT_FOR_CLIENTS = {Reason.COMPACTED, Reason.CORRUPT, Reason.MEMBER_UNKNOWN}


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
    assert (applies.ttl_min_ms, applies.ttl_max_ms) == (1_000, 24 * 3_600_000)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_at_exists(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    files = re.findall(
        r"`((?:tests|kvraft|chaos|client|docs|scripts|benchmarks)/[\w./-]+\.\w+)", text
    )

    assert [link for link in links if not (page.parent / link).exists()] == []
    assert [file for file in files if not (ROOT / file).exists()] == []
