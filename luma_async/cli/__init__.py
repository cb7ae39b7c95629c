"""The command `luma-async`: arguments and what a person sees; the work is done elsewhere."""

import sys


def main() -> None:
    """Run the command line; without the extra `cli`, say how to install it and exit with 2."""
    try:
        from luma_async.cli.app import run  # noqa: PLC0415 - the extra may not be there
    except ModuleNotFoundError as error:
        print(
            f"luma-async: the command line needs {error.name}: pip install 'luma-async[cli]'",
            file=sys.stderr,
        )
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run(sys.argv[1:])
