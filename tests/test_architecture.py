"""The layers of the package, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "luma_async"

LAYERS = [
    "_version",
    "errors",
    "display",
    "models settings",
    "_sansio",
    "_io",
    "client logs",
    "batch",
    "cli pytest_plugin",
]
"""From the lowest to the highest; modules of one line do not know each other."""

RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}
MODULES = sorted(PACKAGE.rglob("*.py"))
OURS = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] != "emulator"]


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    """Yield what a module imports when it runs; what only type checkers see is left out."""
    tree = ast.parse(path.read_text())
    unseen = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own_imports(path: Path) -> set[str]:
    return {name.split(".")[1] for name in _imports(path) if name.startswith("luma_async.")}


@pytest.mark.parametrize("path", OURS, ids=_name)
def test_imports_run_downwards_only(path: Path) -> None:
    """A reader who knows the lower layers understands a module without the higher ones."""
    layer = _layer(path)
    if layer in ("__init__", "_version"):
        return
    allowed = {name for name, rank in RANK.items() if rank < RANK[layer]} | {layer}
    if layer in ("cli", "pytest_plugin"):
        allowed.add("emulator")
    assert set() == _own_imports(path) - allowed


@pytest.mark.parametrize("path", [p for p in MODULES if _layer(p) == "emulator"], ids=_name)
def test_the_emulator_stands_apart(path: Path) -> None:
    """Client and emulator share no code, so that no mistake of the one hides in the other."""
    assert _own_imports(path) <= {"emulator"}


@pytest.mark.parametrize("path", [p for p in MODULES if _layer(p) == "_sansio"], ids=_name)
def test_what_decides_does_not_act(path: Path) -> None:
    """The pure layer has no coroutine, no I/O and no clock of its own."""
    acting = {"aiohttp", "anyio", "asyncio", "socket", "sqlite3", "subprocess", "threading", "time"}
    assert set() == acting & {name.split(".")[0] for name in _imports(path)}
    coroutines = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [] == [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, coroutines)]


@pytest.mark.parametrize("path", OURS, ids=_name)
def test_requests_to_the_api_leave_from_one_place(path: Path) -> None:
    """Whether a paid request may be repeated is decided once, not wherever a session is at hand."""
    calls = [
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("self._session.")
    ]
    requests = [call for call in calls if not call.endswith((".close", "append", "remove"))]
    expected = {
        "_io/http.py": ["self._session.request"],
        "_io/cdn.py": ["self._session.get"],
    }
    assert expected.get(_name(path), []) == requests


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_modules_stay_small_enough_to_read(path: Path) -> None:
    """A module fits into one sitting; the client alone is longer, by what it explains."""
    longest = 500 if _name(path) == "client.py" else 320
    assert len(path.read_text().splitlines()) <= longest
