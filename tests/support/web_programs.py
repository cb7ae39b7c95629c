"""The web programs of the documentation, each run as its reader runs it: from a copy, by itself."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
KEY = "sk-CANARY-7b1d94ce-never-to-be-seen"
_ADDRESS = re.compile(r"http://127\.0\.0\.1:([1-9]\d*)")


class WebProgram:
    """One process of a program in a folder, which may be ended and started again.

    It serves as long as its context lasts; what still runs then is killed.
    """

    def __init__(self, name: str, folder: Path, base_url: str, *command: str) -> None:
        self._command = command or (sys.executable, f"{name}.py")
        self.folder = folder
        self._environment = {
            **os.environ,
            "AIML_API_KEY": KEY,
            "AIML_API_BASE": base_url,
            "PYTHONUNBUFFERED": "1",
        }
        for file in (f"{name}.py", "web_videos.py", "page.html"):
            shutil.copy(EXAMPLES / file, folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def start(self, port: int = 0) -> None:
        """Start the program, on any free port or on that of an earlier life."""
        log = self.folder / f"output-{time.monotonic_ns()}.txt"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                env={**self._environment, "PORT": str(port)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._process.pid
        for _ in range(1200):
            if found := _ADDRESS.search(log.read_text()):
                self.url, self.port = found[0], int(found[1])
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"it does not serve:\n{log.read_text()}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal, and return the seconds until the process has ended."""
        began = time.monotonic()
        self._process.send_signal(number)
        self._process.wait(timeout=60)
        return time.monotonic() - began

    @property
    def exit_code(self) -> int | None:
        """How the process ended; None while it runs."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """All that the program has written, over all its lives."""
        return "".join(log.read_text() for log in sorted(self.folder.glob("output-*.txt")))
