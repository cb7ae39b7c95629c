"""The command as a whole: what is registered, and how it ends."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from cyclopts import App, Parameter

from luma_async._version import __version__
from luma_async.cli.batch import add_batch
from luma_async.cli.emulator import add_service
from luma_async.cli.exit_codes import FORESEEN, ExitCode, KeyArgumentError
from luma_async.cli.log_handlers import log_handlers
from luma_async.cli.output import report
from luma_async.cli.videos import add_videos
from luma_async.errors import ConfigurationError

HELP = """Video generation with Luma Dream Machine on AI/ML API.

For example: `luma-async create "A red fox in the snow" --download fox.mp4`

The key comes from AIML_API_KEY, or from a file given as --key-file. Results are printed on stdout,
everything else on stderr. Exit codes: 0 all done; 1 some failed; 2 usage; 3 an order may have been
paid; 4 the ledger of a batch; 5 key, credits or budget; 130 interrupted, and can be resumed.
"""

app: App = App(
    name="luma-async",
    version=__version__,
    help=HELP,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
add_videos(app)
add_batch(app)
add_service(app)
app.register_install_completion_command()


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print a script that completes commands and options in a shell.

    For example: `eval "$(luma-async completion bash)"`

    Parameters
    ----------
    shell
        The shell that is to run it.
    """
    sys.stdout.write(app.generate_completion(shell=shell))


def run(tokens: Sequence[str]) -> NoReturn:
    """Run a command and exit; whatever goes wrong is told here."""
    _open_streams()
    try:
        with log_handlers():
            code = _run(tokens)
    except BrokenPipeError:
        # Nobody reads on, so there is nobody to tell so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    sys.exit(code)


def _open_streams() -> None:
    """Stand in for standard streams that whoever started this has closed."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for the process
            setattr(sys, name, stream)


def _run(tokens: Sequence[str]) -> int:
    try:
        _refuse_key(tokens)
        _refuse_reading_twice(tokens)
        return int(
            app(tokens, exit_on_error=False, print_error=False, result_action="return_value") or 0
        )
    except BrokenPipeError:
        raise
    except FORESEEN as error:
        command, _, _ = app.parse_commands(tokens)
        return report(error, otherwise=" ".join(["luma-async", *command, "--help"]))


def _refuse_key(tokens: Sequence[str]) -> None:
    options = tokens[: tokens.index("--")] if "--" in tokens else tokens
    if {"--key", "--api-key"} & {token.partition("=")[0] for token in options}:
        raise KeyArgumentError(
            "a key is no argument: every user of this machine could see it, and the shell keeps it"
        )


def _refuse_reading_twice(tokens: Sequence[str]) -> None:
    """A key would otherwise be taken for a prompt, or a prompt for a key."""
    if sum(token in ("-", "--key-file=-") for token in tokens) > 1:
        raise ConfigurationError("only one of the arguments can be read from stdin")
