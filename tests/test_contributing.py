"""What CONTRIBUTING.md promises to those who look for a place."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def listed() -> list[str]:
    """Return the paths of the listing, which says by its indentation what is in which folder."""
    listing = (ROOT / "CONTRIBUTING.md").read_text().partition("```text\n")[2].partition("```")[0]
    folders: list[str] = []
    paths = []
    for line in listing.splitlines():
        name = line.split()[0]
        del folders[(len(line) - len(line.lstrip())) // 2 :]
        if name.endswith("/"):
            folders.append(name)
        else:
            paths.append("".join([*folders, name]))
    return paths


def test_every_module_is_listed() -> None:
    """A reader who knows what a module is for finds it without opening others."""
    modules = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "luma_async").rglob("*.py")
        if path.name != "__init__.py"
    }
    paths = listed()
    assert len(paths) == len(set(paths))
    assert modules == {path for path in paths if path.endswith(".py")} - {"luma_async/__init__.py"}
    assert [] == [path for path in paths if not (ROOT / path).is_file()]
