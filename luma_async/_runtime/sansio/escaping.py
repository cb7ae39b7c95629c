"""Text of others, made harmless for terminals and logs."""

_MAX_LENGTH = 2000


def printable(text: str) -> str:
    """Escape what could take over a terminal or forge a line of a log; at most 2,000 long."""
    escaped = "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}"
        for character in text[:_MAX_LENGTH]
    )
    return escaped[:_MAX_LENGTH]
