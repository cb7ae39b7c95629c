"""Every check and every demonstration of the project: `nox --list` names them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.download_python = "never"
nox.options.sessions = ["lint", "types", "tests", "coverage", "docs"]

# pyenv offers only the versions that were chosen; those beside them serve just as well.
PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
BESIDE = sorted(str(folder) for folder in PYENV.glob("versions/*/bin"))
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *BESIDE])

SITE = "docs/_build/html"
STRICTLY = ["-n", "-W", "--keep-going"]
PYTHONS = ["3.11", "3.12", "3.13"]
ON_ALL_CORES = ["--numprocesses=auto", "--maxprocesses=8"]
MEMORY = Path("/dev/shm")  # noqa: S108 - for folders that tempfile makes
PYPROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install the package with its command line, and what the named dependency groups list."""
    listed = (nox.project.dependency_groups(PYPROJECT, group) for group in groups)
    requirements = [requirement for group in listed for requirement in group]
    session.install("-e.[cli,otel]", *requirements)


@contextmanager
def quick(session: nox.Session) -> Iterator[None]:
    """Let processes keep the modules that they compile, and keep temporary files in memory.

    Each session has a folder to itself: pytest clears those that it finds beside its own.
    """
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2**31
    with TemporaryDirectory(dir=MEMORY if has_room else None, ignore_cleanup_errors=True) as folder:
        session.env["TMPDIR"] = folder
        yield


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, and the examples of the docs, on the Python that runs nox, on all cores.

    With arguments they go to one process of pytest: `-- tests/test_models.py -k order`.
    """
    install(session, "tests")
    with quick(session):
        session.run("pytest", *(session.posargs or ON_ALL_CORES))


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure that the tests reach every branch; those marked `protocol` are not needed for it."""
    install(session, "tests")
    with quick(session):
        session.env["COVERAGE_FILE"] = str(Path(session.virtualenv.location, "coverage"))
        session.run("coverage", "erase")
        session.run("coverage", "run", "-m", "pytest", "-m", "not protocol", *ON_ALL_CORES)
        session.run("coverage", "combine", "--quiet")
        session.run("coverage", "report")


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """Run on each Python what may depend on it; `protocol` marks the tests that do not."""
    install(session, "tests")
    with quick(session):
        session.run("pytest", "-m", "not protocol", *(session.posargs or ON_ALL_CORES))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and layout."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types: strictly inside, and completely for those who import the package."""
    install(session, "types")
    session.run("mypy")
    session.run("pyright", "--verifytypes", "luma_async", "--ignoreexternal")
    session.run("pyright", "tests/typing")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation and check what was built; a warning is an error."""
    install(session, "docs")
    shutil.rmtree(SITE, ignore_errors=True)
    session.run("sphinx-build", *STRICTLY, "-b", "html", "docs", SITE)
    session.run("pytest", "--noconftest", "tests/docs", env={"LUMA_ASYNC_SITE": SITE})


@nox.session
def links(session: nox.Session) -> None:
    """Ask the network whether the pages that the documentation links to are still there."""
    install(session, "docs")
    session.run("sphinx-build", *STRICTLY, "-b", "linkcheck", "docs", "docs/_build/links")


@nox.session
def demo(session: nox.Session) -> None:
    """Create, follow and download a few dozen videos on the embedded emulator; no key is needed."""
    install(session)
    session.run("luma-async", "demo", *session.posargs)


@nox.session
def contract(session: nox.Session) -> None:
    """Let Schemathesis loose on the emulator; `-- --max-examples 1000` makes it a long run."""
    install(session, "contract")
    session.run("python", "tests/contract/run.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure requests, delay, CPU and memory; `-- --short` is quick, `-- --plot` draws, too."""
    install(session, "bench")
    session.run("python", "-m", "tests.bench", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Count how often other clients send one order, for the table in docs/compare.md."""
    session.install("-e.", *nox.project.dependency_groups(PYPROJECT, "peers"))
    run = ["python", "-m", "tests.peers.orders"]
    others = ["lumaai", "runwayml", "openai", "replicate", "fal_client", "google-genai"]
    session.run(*run, *others, "luma_async")
    # Last, as it puts files of its own in the place of those of openai.
    session.install("--no-deps", "aimlapi-sdk-python==2.24.0rc1")
    session.run(*run, "aimlapi")


@nox.session
def stall(session: nox.Session) -> None:
    """Cancel waiters at random and count the stalls; `-- --trials 10000` is the long run."""
    install(session, "tests")
    session.run("python", "-m", "tests.soak.stall", *session.posargs)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill batches at random moments and compare the bills; `-- --kills 10000` is the long run."""
    install(session, "tests")
    with quick(session):
        session.run("python", "-m", "tests.soak.kills", *session.posargs)


@nox.session
def listeners(session: nox.Session) -> None:
    """Let thousands of browsers listen to one web worker; `-- --count 10000` is the long run."""
    install(session, "tests", "examples")
    session.run("python", "-m", "tests.soak.listeners", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Run the web programs of the documentation, and check their types."""
    install(session, "tests", "examples")
    with quick(session):
        session.run("pytest", "tests/examples", *session.posargs)
        programs = sorted(str(path) for path in Path("docs/examples").glob("web_*.py"))
        session.run("mypy", *programs, env={"MYPYPATH": "docs/examples"})


@nox.session
def browser(session: nox.Session) -> None:
    """Open the gallery and the documentation in a headless Chromium, which has to be installed."""
    install(session, "tests", "browser")
    session.run("pytest", "tests/browser", *session.posargs, env={"LUMA_ASYNC_SITE": SITE})
