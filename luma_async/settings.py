"""The options of a client: frozen, keyword-only, and checked when they are made."""

from collections.abc import Callable
from typing import Any

from attrs import Attribute, field, frozen

from luma_async.errors import ConfigurationError

TOKENS_PER_USD = 2_000_000
"""What the service sells for one US dollar."""

_MUCH = 1e15


def _number(
    *, least: float, most: float = _MUCH, whole: bool = False, optional: bool = False
) -> Callable[[Any, "Attribute[Any]", Any], None]:
    """Make a validator of a finite number within bounds; `bool` and text are no numbers."""

    def check(instance: object, attribute: "Attribute[Any]", value: object) -> None:
        if optional and value is None:
            return
        name = f"{type(instance).__name__}({attribute.name}={value!r})"
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise ConfigurationError(f"{name}: expected a {'whole ' if whole else ''}number")
        if not least <= value <= most:
            raise ConfigurationError(f"{name}: has to be at least {least:g} and at most {most:g}")

    return check


@frozen(kw_only=True)
class Limits:
    """How much a client asks of the service at a time.

    Attributes:
        concurrent_requests: The paid requests under way at once, and likewise the free ones;
            each kind has a semaphore of this size, so that slow creates never hold up polls.
        requests_per_second: The pace of all API requests together, evenly spaced.
        ids_per_request: The generations that one status request asks for. The service's query
            parser turns a list of more than 20 into something else, so that a larger number
            is only for a service known to take it.
    """

    concurrent_requests: int = field(default=8, validator=_number(least=1, most=1000, whole=True))
    requests_per_second: float = field(default=10.0, validator=_number(least=0.01, most=10_000))
    ids_per_request: int = field(default=20, validator=_number(least=1, most=1000, whole=True))


@frozen(kw_only=True)
class Timeouts:
    """How long things may take, in seconds.

    Attributes:
        connect: For a connection, name lookup and TLS included; and for the function that gives
            the API key, where there is one.
        free: For one attempt of a free request as a whole.
        paid: For one attempt of a create or extend as a whole. A paid request that takes longer
            has an unknown outcome, so the time is generous.
        stall: A download that brings less than 1,000 bytes a second over this time is broken
            off and resumed. There is no limit to a download as a whole.
    """

    connect: float = field(default=10.0, validator=_number(least=0.001))
    free: float = field(default=15.0, validator=_number(least=0.001))
    paid: float = field(default=60.0, validator=_number(least=0.001))
    stall: float = field(default=30.0, validator=_number(least=0.001))


@frozen(kw_only=True)
class RetryPolicy:
    """When a request is made again.

    Free requests are repeated after failures of the network and the service. Paid requests are
    repeated only where it is proven that they were not accepted: no connection came about, or
    the service answered 429 or 425.

    Before the n-th repetition the client waits a random time of up to
    ``first_delay * 2 ** (n - 1)`` seconds, at most `max_delay` ("full jitter"; M. Brooker,
    *Exponential Backoff and Jitter*, AWS Architecture Blog, 2015), or what the service asks for
    by Retry-After if that is longer.

    Attributes:
        attempts: How often a request is made, the first included.
        first_delay: Seconds.
        max_delay: Seconds.
        deadline: The seconds after which a call is not repeated any more. A Retry-After that
            leads beyond it fails the call at once. Within it, 429 to a paid request is repeated
            however many attempts that takes.
        budget_ratio: All calls of a client together may add this share of repetitions to their
            requests, so that an outage is not answered by a storm.
        budget_floor: Repetitions a minute that are allowed regardless.
    """

    attempts: int = field(default=4, validator=_number(least=1, most=100, whole=True))
    first_delay: float = field(default=0.5, validator=_number(least=0.0))
    max_delay: float = field(default=20.0, validator=_number(least=0.0))
    deadline: float = field(default=120.0, validator=_number(least=0.0))
    budget_ratio: float = field(default=0.1, validator=_number(least=0.0, most=1.0))
    budget_floor: int = field(default=10, validator=_number(least=0, whole=True))


@frozen(kw_only=True)
class PollPolicy:
    """How often the client asks whether a generation is finished.

    While the service estimates that a generation takes longer, the client waits for that time to
    pass, at most `max_interval`. From then on the interval grows with the time for which nothing
    has changed, so that the delay of the news stays in proportion to the wait. While the service
    answers 429 all intervals are stretched, while it fails only one request at a time looks whether
    it is back; both recover with the answers.

    Attributes:
        min_interval: The shortest time between two questions for one id, in seconds. An id is
            asked for earlier only where a request that is due anyway has room for it.
        max_interval: The longest, in seconds, while the service is well.
        growth: The interval as a share of the time for which nothing has changed.
        jitter: The share of an interval by which it varies at random, so that many clients do
            not ask in step.
        missing_grace: The seconds for which an id may be missing from answers before its waits
            end with `NotFoundError`.
        missing_answers: The answers in a row from which it has to be missing besides.
        video_grace: The seconds for which a completed generation may lack its video before its
            waits end with `GenerationFailedError`.
    """

    min_interval: float = field(default=3.0, validator=_number(least=0.001))
    max_interval: float = field(default=30.0, validator=_number(least=0.001))
    growth: float = field(default=0.1, validator=_number(least=0.0, most=1.0))
    jitter: float = field(default=0.1, validator=_number(least=0.0, most=0.5))
    missing_grace: float = field(default=120.0, validator=_number(least=0.0))
    missing_answers: int = field(default=5, validator=_number(least=1, whole=True))
    video_grace: float = field(default=60.0, validator=_number(least=0.0))

    def __attrs_post_init__(self) -> None:
        if self.min_interval > self.max_interval:
            raise ConfigurationError(
                f"PollPolicy(min_interval={self.min_interval:g}) is longer than its "
                f"max_interval={self.max_interval:g}"
            )


@frozen(kw_only=True)
class Budget:
    """What a client may spend in its lifetime.

    Attributes:
        tokens: The limit. 2,000,000 tokens cost one US dollar. None sets no limit.
        per_create: What the service takes for one create or extend, in tokens.
    """

    tokens: int | None = field(default=None, validator=_number(least=0, whole=True, optional=True))
    per_create: int = field(default=500_000, validator=_number(least=0, whole=True))
