"""Named places at which a test lets the process die, to see what the next one makes of it."""

from collections.abc import Callable

armed: Callable[[str], None] | None = None
"""What a test process hangs in here; a program has nothing."""


def failpoint(name: str) -> None:
    """Mark a place between two steps that matter."""
    if armed is not None:
        armed(name)
