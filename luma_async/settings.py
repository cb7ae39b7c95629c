"""The options of a client: frozen, keyword-only, and checked when they are made."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Self

from attrs import Attribute, asdict, evolve, field, frozen

from luma_async.errors import ConfigurationError

TOKENS_PER_USD = 2_000_000
"""What the service sells for one US dollar."""

_LARGEST = 1e15


def number(
    *, minimum: float, maximum: float = _LARGEST, whole: bool = False, optional: bool = False
) -> Callable[[Any, "Attribute[Any]", Any], None]:
    """Make a validator of a finite number within bounds; `bool` and text are no numbers."""

    def check(instance: object, attribute: "Attribute[Any]", value: object) -> None:
        if optional and value is None:
            return
        name = f"{type(instance).__name__}({attribute.name}={value!r})"
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise ConfigurationError(f"{name}: expected a {'whole ' if whole else ''}number")
        if not minimum <= value <= maximum:
            raise ConfigurationError(
                f"{name}: has to be at least {minimum:g} and at most {maximum:g}"
            )

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

    concurrent_requests: int = field(
        default=8, validator=number(minimum=1, maximum=1000, whole=True)
    )
    requests_per_second: float = field(default=10.0, validator=number(minimum=0.01, maximum=10_000))
    ids_per_request: int = field(default=20, validator=number(minimum=1, maximum=1000, whole=True))


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

    connect: float = field(default=10.0, validator=number(minimum=0.001))
    free: float = field(default=15.0, validator=number(minimum=0.001))
    paid: float = field(default=60.0, validator=number(minimum=0.001))
    stall: float = field(default=30.0, validator=number(minimum=0.001))


@frozen(kw_only=True)
class RetryPolicy:
    """When a request is made again.

    Free requests are repeated after failures of the network and the service. Paid requests are
    repeated only where it is proven that they were not accepted: no connection came about, or
    the service answered 429 or 425.

    Before the n-th repetition the client waits a random time of up to
    ``first_delay * 2 ** (n - 1)`` seconds, at maximum `max_delay` ("full jitter"; M. Brooker,
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

    attempts: int = field(default=4, validator=number(minimum=1, maximum=100, whole=True))
    first_delay: float = field(default=0.5, validator=number(minimum=0.0))
    max_delay: float = field(default=20.0, validator=number(minimum=0.0))
    deadline: float = field(default=120.0, validator=number(minimum=0.0))
    budget_ratio: float = field(default=0.1, validator=number(minimum=0.0, maximum=1.0))
    budget_floor: int = field(default=10, validator=number(minimum=0, whole=True))


Evidence = tuple[tuple[float, float], ...]
"""For each class of age: how many generations finished in it, and how long any lived in it."""

AGE_CLASSES = 82


def _count(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError
    return float(value)


def _evidence(value: Iterable[Iterable[float]]) -> Evidence:
    try:
        return tuple((_count(finished), _count(lived)) for finished, lived in value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigurationError("Learned: expected pairs of numbers") from None


def _is_evidence(_: object, attribute: "Attribute[Any]", value: Evidence) -> None:
    numbers = [number for pair in value for number in pair]
    if len(value) not in (0, AGE_CLASSES) or not all(0 <= number <= _LARGEST for number in numbers):
        raise ConfigurationError(
            f"Learned({attribute.name}=...): expected none or {AGE_CLASSES} pairs of numbers "
            "from 0; was it learned by another version?"
        )


@frozen(kw_only=True)
class Learned:
    """What a client has learned of how long generations take.

    `LumaClient.polling` makes it; its insides are of use to that class alone. It holds counts
    for classes of age, and of no single generation, prompt or key.

    Attributes:
        unit_seconds: The seconds that stand for an age of 1.
        create: Counts for videos that were created.
        extend: Counts for videos that were extended.
        estimated: Counts for videos of which the service estimated how long they take, their
            ages in units of the estimate.
    """

    unit_seconds: float = field(default=45.0, validator=number(minimum=1e-4, maximum=1e6))
    create: Evidence = field(default=(), converter=_evidence, validator=_is_evidence)
    extend: Evidence = field(default=(), converter=_evidence, validator=_is_evidence)
    estimated: Evidence = field(default=(), converter=_evidence, validator=_is_evidence)


def _is_learned(_: object, attribute: "Attribute[Any]", value: object) -> None:
    if value is not None and not isinstance(value, Learned):
        kind = type(value).__name__
        raise ConfigurationError(f"PollPolicy({attribute.name}=...): expected Learned, not {kind}")


@frozen(kw_only=True)
class PollPolicy:
    """How often the client asks whether generations are finished.

    Every question costs a request, and every second between the end of a generation and the
    next question is a second that somebody waits for a video that is there. The client learns
    how long generations take, and asks as soon as the videos of a request have together
    probably been waited for as long as one request is worth. A request holds up to
    `Limits.ids_per_request` of them, so the more are waited for, the sooner is each heard of.

    `LumaClient.polling` returns the policy with what was learned, for the next process to start
    with; `to_json` and `from_json` keep it in a file.

    Attributes:
        request_worth: How many seconds of waiting one request is worth. Four times as much
            halves the requests and doubles the delay. It rises by itself while the service asks
            for fewer requests.
        min_interval: The shortest time between two questions for one id, in seconds. Only who
            asks for states with `LumaClient.get_many` is not held up by it, and the search for
            an id that spoils requests for others.
        max_interval: The longest, in seconds, while the service is well: a guard against what
            was learned from a few, or from a service that has changed.
        expected_seconds: What a generation is expected to take before any has been seen to
            finish: half of them longer, half of them shorter. It need not be right.
        jitter: The share by which intervals vary at random, so that many programs that start
            together do not ask in step.
        missing_grace: The seconds for which an id may be missing from answers before its waits
            end with `NotFoundError`, and those for which a question for it alone may fail while
            others are answered before its waits end with that error.
        missing_answers: How often in a row that has to have happened besides.
        video_grace: The seconds for which a completed generation may lack its video before its
            waits end with `GenerationFailedError`.
        learned: What a client has learned, to go on from; None begins anew.
    """

    request_worth: float = field(default=0.5, validator=number(minimum=1e-6))
    min_interval: float = field(default=0.5, validator=number(minimum=1e-4))
    max_interval: float = field(default=60.0, validator=number(minimum=1e-4))
    expected_seconds: float = field(default=45.0, validator=number(minimum=1e-4, maximum=1e6))
    jitter: float = field(default=0.1, validator=number(minimum=0.0, maximum=0.5))
    missing_grace: float = field(default=120.0, validator=number(minimum=0.0))
    missing_answers: int = field(default=5, validator=number(minimum=1, whole=True))
    video_grace: float = field(default=60.0, validator=number(minimum=0.0))
    learned: Learned | None = field(default=None, validator=_is_learned, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.min_interval > self.max_interval:
            raise ConfigurationError(
                f"PollPolicy(min_interval={self.min_interval:g}) is longer than its "
                f"max_interval={self.max_interval:g}"
            )

    def at_speed(self, factor: float) -> Self:
        """Return the policy for a service whose time passes so many times as fast.

        That is for an emulator: ``PollPolicy().at_speed(60)`` suits
        ``Emulator(time_scale=60)``, where a minute passes in a second. The worth of a request,
        the intervals and what durations are expected or learned are divided; the graces stay.

        Raises:
            ConfigurationError: The factor is not above 0, or an interval becomes too short.
        """
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            raise ConfigurationError(f"at_speed({factor!r}): expected a number")
        if not 0 < factor <= _LARGEST:
            raise ConfigurationError(f"at_speed({factor!r}): expected a number above 0")
        learned = self.learned
        if learned is not None:
            learned = evolve(learned, unit_seconds=learned.unit_seconds / factor)
        return evolve(
            self,
            learned=learned,
            request_worth=self.request_worth / factor,
            min_interval=self.min_interval / factor,
            max_interval=self.max_interval / factor,
            expected_seconds=self.expected_seconds / factor,
        )

    def to_json(self) -> str:
        """Return the policy as JSON text, with what was learned: some KiB."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make a policy of what `to_json` returned.

        Raises:
            ConfigurationError: It is something else, or of a version that learned otherwise.
        """
        try:
            fields = json.loads(text)
            learned = fields.pop("learned")
            return cls(**fields, learned=None if learned is None else Learned(**learned))
        except ConfigurationError:
            raise
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise ConfigurationError("expected JSON text made by PollPolicy.to_json") from None


@frozen(kw_only=True)
class Budget:
    """What a client may spend in its lifetime.

    Attributes:
        tokens: The limit. 2,000,000 tokens cost one US dollar. None sets no limit.
        per_create: What the service takes for one create or extend, in tokens.
    """

    tokens: int | None = field(default=None, validator=number(minimum=0, whole=True, optional=True))
    per_create: int = field(default=500_000, validator=number(minimum=0, whole=True))
