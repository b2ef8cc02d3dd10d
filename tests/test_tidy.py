"""Style that is not a test is not style (TigerBeetle's tidy.zig)."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINES_MAX = 400
FUNCTION_LINES_MAX = 50
BANNED_MODULE_WORDS = {"util", "utils", "helper", "helpers", "manager", "managers", "misc"}
GENERATED = (
    "kvraft/v1/",
    "client/kvraft_client/_sync/",
    "client/kvraft_client/recipes/_sync/",
)


def tracked(*suffixes: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listing if name.endswith(suffixes) and (ROOT / name).exists()]


def ours() -> list[Path]:
    return [
        path
        for path in tracked(".py")
        if not path.relative_to(ROOT).as_posix().startswith(GENERATED)
    ]


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


def too_long_functions(tree: ast.AST) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                found.append((node.name, lines))
    return found


@pytest.mark.parametrize("path", ours(), ids=names(ours()))
def test_a_file_has_one_subject(path: Path) -> None:
    text = path.read_text()

    assert text.count("\n") <= LINES_MAX, "split it by subject"
    assert not BANNED_MODULE_WORDS & set(path.stem.split("_")), "name it after its subject"


@pytest.mark.parametrize("path", ours(), ids=names(ours()))
def test_functions_are_short(path: Path) -> None:
    assert too_long_functions(ast.parse(path.read_text())) == []


def test_long_functions_are_found() -> None:
    body = "\n".join(f"    x{number} = 0" for number in range(FUNCTION_LINES_MAX))

    assert too_long_functions(ast.parse(f"def f():\n{body}\n")) == [("f", FUNCTION_LINES_MAX + 1)]


@pytest.mark.parametrize("path", ours(), ids=names(ours()))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if tree.body:
        assert ast.get_docstring(tree), "begin with one line: the module's one job"


def test_nothing_is_left_open() -> None:
    pattern = re.compile(
        r"\b(TODO|FIXME|XXX|NotImplementedError)\b|# type: ignore$|# noqa$", re.MULTILINE
    )
    left = {
        path.relative_to(ROOT).as_posix(): pattern.findall(path.read_text())
        for path in ours()
        if path != Path(__file__).resolve()
    }

    assert {name: found for name, found in left.items() if found} == {}


def test_no_path_of_a_machine_and_no_registry_host() -> None:
    pattern = re.compile(r"(?<![\w.])/(?:work|home|root)/\w|--(?:extra-)?index-url|--find-links")
    for path in tracked(".py", ".md", ".toml", ".yml", ".yaml", ".sh", ".txt", ".proto", "run"):
        if path != Path(__file__).resolve():
            assert not pattern.search(path.read_text()), path.relative_to(ROOT)


@pytest.mark.parametrize("path", tracked(".md"), ids=names(tracked(".md")))
def test_a_page_has_one_title(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)

    assert len(re.findall(r"^# ", text, flags=re.MULTILINE)) == 1
    assert "\t" not in text
