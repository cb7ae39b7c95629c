"""The command as a whole: its commands, and how it ends."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NoReturn

from cyclopts import App, Parameter

from luma_async._version import __version__
from luma_async.cli.exit_codes import EXPECTED_ERRORS, ExitCode, KeyArgumentError
from luma_async.cli.log_handlers import log_handlers
from luma_async.cli.output import report
from luma_async.errors import ConfigurationError

HELP = """Video generation with Luma Dream Machine on AI/ML API.

For example: `luma-async create "A red fox in the snow" --download fox.mp4`

The key comes from AIML_API_KEY, or from a file given as --key-file. Results are printed on stdout,
everything else on stderr. Exit codes: 0 all done; 1 some failed; 2 usage; 3 an order may have been
paid; 4 the ledger of a batch; 5 key, credits or budget; 130 interrupted, and can be resumed.
"""

COMMANDS = {
    "videos:create": """\
Order a video. It costs 0.25 US dollars once it is accepted, and cannot be cancelled.

Prints the id of the order, or with --wait the finished video.

For example: `luma-async create "A red fox in the snow" --download fox.mp4`
""",
    "videos:extend": """\
Order the continuation of a finished video. It costs as much as a new one.

For example: `luma-async extend ID "The fox looks up" --wait`
""",
    "videos:get": """\
Print the states of generations: the id, the state, and the address of the video.

For example: `luma-async get ID ID --json`
""",
    "videos:wait": """\
Wait for generations, and print each as it ends. Waiting is free.

For example: `luma-async create "A red fox" --json | luma-async wait - --download videos/`
""",
    "videos:upload": """\
Let the service copy an image, and print the address to give as --image-url. Free.

For example: `luma-async upload https://example.com/fox.png`
""",
    "videos:download": """\
Store the videos of finished generations, and print the files. Free; repeat it as you like.

For example: `luma-async download ID --to fox.mp4`
""",
    "videos:list_": """\
Print all generations of the account: the id and the prompt.

For example: `luma-async list | grep fox`
""",
    "emulator:emulator": """\
Serve an emulator of the service until interrupted. It takes any key and costs nothing.

For example: `luma-async emulator --time-scale 60`
""",
    "emulator:demo": """\
Create, follow and download videos on an emulator of the service. No key, no cost.

For example: `luma-async demo --count 10`
""",
}
"""Where each command is defined, and its help; a module is imported when its command is used."""

BATCH_HELP = """Many videos, paid once, whatever happens to the program.

For example: `luma-async batch run foxes prompts.txt --budget 5usd`
"""

BATCH_COMMANDS = {
    "batch:run": """\
Order, follow and download many videos, or go on where the last run ended.

For example: `luma-async batch run foxes prompts.txt --budget 5usd`

The folder is the result: videos/, index.html to look at them, results.jsonl for programs, and
orders.sqlite, which knows what was paid. Ctrl-C stops it; the same command goes on.
""",
    "batch_review:status": """\
Say how far a batch is, also while it runs. No key is needed, and nothing is asked.

For example: `luma-async batch status foxes`
""",
    "batch_review:review": """\
List the orders that may have been paid, and the generations that they may be.

For example: `luma-async batch review foxes --adopt 7=0f2b... --dismiss 9`
""",
    "batch_review:retry": """\
Plan orders anew that failed or were rejected; the next run pays for them once more.

For example: `luma-async batch retry foxes`
""",
}

app: App = App(
    name="luma-async",
    version=__version__,
    help=HELP,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
batch: App = App(name="batch", help=BATCH_HELP)
for _path, _text in COMMANDS.items():
    app.command(f"luma_async.cli.{_path}", help=_text)
for _path, _text in BATCH_COMMANDS.items():
    batch.command(f"luma_async.cli.{_path}", help=_text)
app.command(batch)
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
    """Run a command, report its error, and exit."""
    _open_streams()
    try:
        with log_handlers():
            code = _run(tokens)
    except BrokenPipeError:
        # The reader is gone: there is nobody to report it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.FAILED
    sys.exit(code)


def _open_streams() -> None:
    """Replace standard streams that are closed."""
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
    except EXPECTED_ERRORS as error:
        command, _, _ = app.parse_commands(tokens)
        return report(error, otherwise=" ".join(["luma-async", *command, "--help"]))


def _refuse_key(tokens: Sequence[str]) -> None:
    options = tokens[: tokens.index("--")] if "--" in tokens else tokens
    if {"--key", "--api-key"} & {token.partition("=")[0] for token in options}:
        raise KeyArgumentError(
            "a key cannot be an argument: other users of this machine could see it"
        )


def _refuse_reading_twice(tokens: Sequence[str]) -> None:
    """A key would otherwise be taken for a prompt, or a prompt for a key."""
    if sum(token in ("-", "--key-file=-") for token in tokens) > 1:
        raise ConfigurationError("only one argument can be read from stdin")
