"""bench: what is refused before anything is measured, and what is told of errors."""

import pytest


@pytest.mark.parametrize("callers", ["0", "", "x", "1,,2", "-1", "4097", "1;2", "²"])
def test_numbers_of_callers_are_checked(kvraft, node, callers):
    done = kvraft("bench", "--callers", callers)

    assert done.exit_code == 1
    assert "'--callers'" in done.stderr
    assert node.calls == []


def test_a_file_in_no_folder_is_refused_before_anything_is_measured(kvraft, node, tmp_path):
    done = kvraft("bench", "--json", str(tmp_path / "none" / "figures.json"))

    assert done.exit_code == 1
    assert "there is no folder" in done.stderr
    assert node.calls == []


def test_a_cluster_that_nobody_reaches_is_one_clear_line(kvraft, free_endpoint):
    done = kvraft("bench", "--endpoints", free_endpoint, "--timeout", "0.3", "--seconds", "0.1")

    assert done.exit_code == 1
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert "may be left" in first
    assert [line.startswith("kvraft: error: ") for line in rest] == [True]
