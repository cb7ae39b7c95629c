"""Amounts of money on the command line."""

import pytest

from luma_async import ConfigurationError
from luma_async.cli.money import format_tokens, parse_budget


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("5usd", 10_000_000),
        ("5 USD", 10_000_000),
        ("$5", 10_000_000),
        ("0.25usd", 500_000),
        ("10M", 10_000_000),
        ("1.5m", 1_500_000),
        ("10_000_000", 10_000_000),
        ("10,000,000", 10_000_000),
        ("500k", 500_000),
    ],
)
def test_a_budget_is_written_in_dollars_or_tokens(text: str, tokens: int) -> None:
    """Whoever thinks in money writes dollars, and whoever thinks in tokens writes tokens."""
    assert tokens == parse_budget(text)


@pytest.mark.parametrize(
    "text", ["", "-5usd", "nan", "inf", "1e9", "5eur", "$5usd", "usd", "$", "5\x1b[2J", "\u0665usd"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    """A mistake is told in one harmless line, with amounts that would do."""
    with pytest.raises(ConfigurationError, match="5usd") as caught:
        parse_budget(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["0", "0usd", "5", "0.2usd", "499k"])
def test_a_budget_that_pays_for_nothing_is_refused(text: str) -> None:
    """Whoever writes 5 and means dollars learns that these would be tokens."""
    with pytest.raises(ConfigurationError, match="one order costs"):
        parse_budget(text)


def test_tokens_are_shown_with_what_they_cost() -> None:
    """Nobody has to know the rate."""
    assert "1,000,000 tokens (0.50 US dollars)" == format_tokens(1_000_000)
