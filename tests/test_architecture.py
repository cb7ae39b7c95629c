"""The rooms of the package and the four rules between them, read from its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "luma_async"

FLOORS = [
    "_notebook _version",
    "models",
    "errors",
    "outcome",
    "settings _runtime",
    "_api",
    "_payments _tracking _downloads",
    "_engine",
    "client logs",
    "batch",
    "cli",
]
"""From the ground up; rooms on one floor do not know each other."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms.split()}
SESSION_USERS = {"_api/transport.py", "_downloads/cdn.py"}
"""Where requests leave from, so that one place decides whether a paid one may be repeated."""

ACTING = {
    "aiohttp",
    "anyio",
    "asyncio",
    "concurrent",
    "logging",
    "selectors",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "threading",
    "time",
}


def _relative(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


MODULES = sorted(PACKAGE.rglob("*.py"))
CLIENT = [path for path in MODULES if _room(path) in FLOOR]
PURE = [path for path in MODULES if "sansio" in path.relative_to(PACKAGE).parts]
STANDING_APART = {"__init__", "__main__", "emulator", "pytest_plugin"}


def _imports(path: Path) -> Iterator[str]:
    """Yield what a module imports, what only type checkers see included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _own_imports(path: Path) -> set[str]:
    return {name for name in _imports(path) if name.split(".")[0] == "luma_async"}


def _rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in _own_imports(path)}


def _module_of(name: str) -> Path | None:
    """Find the file that an import reads."""
    for parts in (name.split("."), name.split(".")[:-1]):
        base = PACKAGE.parent.joinpath(*parts)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path in MODULES:
                return path
    return None


def test_every_module_stands_on_a_floor() -> None:
    """A new module at the top has to say where it stands."""
    assert {_room(path) for path in MODULES} <= FLOOR.keys() | STANDING_APART


@pytest.mark.parametrize("path", CLIENT, ids=_relative)
def test_imports_run_downwards_only(path: Path) -> None:
    """A reader who knows the lower floors understands a module without the higher ones."""
    room = _room(path)
    below = {name for name, floor in FLOOR.items() if floor < FLOOR[room]} | {room}
    if room == "cli":
        below.add("emulator")
    assert set() == _rooms_imported(path) - below


@pytest.mark.parametrize("path", [p for p in MODULES if _room(p) == "emulator"], ids=_relative)
def test_the_emulator_stands_apart(path: Path) -> None:
    """Client and emulator share no code, so a mistake of one cannot hide in the other."""
    assert _rooms_imported(path) <= {"emulator"}


@pytest.mark.parametrize("path", PURE, ids=_relative)
def test_a_sansio_module_is_pure(path: Path) -> None:
    """It has no coroutine, no I/O and no clock, and imports nothing of ours that has."""
    assert set() == ACTING & {name.split(".")[0] for name in _imports(path)}
    coroutines = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    tree = ast.parse(path.read_text("utf-8"))
    assert [] == [node for node in ast.walk(tree) if isinstance(node, coroutines)]
    values = {"errors", "models", "outcome", "settings"}
    for name in _own_imports(path):
        assert name.split(".")[1] in values or "sansio" in name.split("."), name


@pytest.mark.parametrize("path", CLIENT, ids=_relative)
def test_only_transport_and_cdn_touch_a_session(path: Path) -> None:
    """Whether a paid request may be repeated is decided in one place."""
    sending = {"request", "get", "post", "put", "delete", "head", "options", "patch", "ws_connect"}
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in sending
        and ast.unparse(node.func.value).endswith("session")
    ]
    assert (_relative(path) in SESSION_USERS) == bool(calls)


def test_no_module_imports_itself_by_a_detour() -> None:
    """The graph of all imports has no circle."""
    graph = {
        path: {found for name in _own_imports(path) if (found := _module_of(name)) is not None}
        for path in MODULES
    }
    finished: set[Path] = set()

    def visit(path: Path, way: list[Path]) -> None:
        assert path not in way, " -> ".join(map(_relative, [*way[way.index(path) :], path]))
        if path not in finished:
            for below in sorted(graph[path] - {path}):
                visit(below, [*way, path])
            finished.add(path)

    for path in MODULES:
        visit(path, [])


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_modules_stay_small_enough_to_read(path: Path) -> None:
    """A module fits into one sitting; the client alone is longer, by what it explains."""
    longest = 500 if _relative(path) == "client.py" else 320
    assert len(path.read_text("utf-8").splitlines()) <= longest
