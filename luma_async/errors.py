"""What can go wrong, split by what the caller can do next.

::

    LumaError
    ├── ConfigurationError (ValueError)      correct the call; no byte was sent
    ├── ClientStateError (RuntimeError)      open the client first, or keep it open
    ├── BudgetExceededError                  raise the budget; no byte was sent
    ├── RequestError                         no usable answer came; free requests were retried
    │   ├── ConnectError (ConnectionError)   nothing was sent: safe to repeat, paid or not
    │   ├── RequestTimeoutError (TimeoutError)
    │   └── DisconnectedError
    ├── APIError                             the service answered, and said no
    │   ├── BadRequestError                  400, 422
    │   ├── AuthenticationError              401
    │   ├── OutOfCreditsError                402, or 403 that speaks of credits
    │   ├── PermissionDeniedError            403
    │   ├── NotFoundError                    404, or an id that stays missing from answers
    │   ├── RateLimitError                   429
    │   └── ServerError                      5xx
    ├── ResponseFormatError                  the service answered what cannot be read
    ├── SubmissionUnknownError               look before paying again: the order may be running
    ├── GenerationFailedError                the service gave up on this video
    ├── WaitTimeoutError (TimeoutError)      wait again: it still runs, and is still paid
    ├── WaitErrorGroup (ExceptionGroup)      some of many failed; the others are in it, too
    ├── DownloadError                        the video could not be stored; download again
    │   └── VideoExpiredError
    └── LedgerError                          the record of a batch cannot be used

No error of another library passes: what aiohttp or cattrs raise is translated where it occurs.
All errors can be pickled, so that they survive process pools and task queues.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from luma_async.models import Generation, Order


def _restore(
    kind: type["LumaError"], arguments: tuple[object, ...], state: dict[str, object]
) -> "LumaError":
    error = kind.__new__(kind, *arguments)
    error.args = arguments
    error.__dict__.update(state)
    return error


class LumaError(Exception):
    """Base of every error that this package raises."""

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are pickled by calling the class with `args`; ours take keywords as well.
        return _restore, (type(self), self.args, self.__dict__)


class ConfigurationError(LumaError, ValueError):
    """A key, an option or an argument that cannot work; raised before any byte is sent."""


class ClientStateError(LumaError, RuntimeError):
    """The client was used before it was open, after it was closed, or in another event loop."""


class BudgetExceededError(LumaError):
    """A paid request would have passed the budget; it was not sent.

    Attributes:
        budget: The tokens that may be spent in all.
        committed: The tokens already spent, or set aside for paid requests under way.
        needed: The tokens that the refused request would have cost.
    """

    def __init__(self, *, budget: int, committed: int, needed: int) -> None:
        super().__init__(
            f"this request costs {needed:,} tokens, and {committed:,} of the budget of "
            f"{budget:,} are spent or set aside; nothing was sent"
        )
        self.budget = budget
        self.committed = committed
        self.needed = needed


class RequestError(LumaError):
    """A request brought no usable answer."""


class ConnectError(RequestError, ConnectionError):
    """No connection came about, so nothing was sent; repeating it cannot pay twice.

    Attributes:
        retryable: False where a second attempt would meet the same, as with a certificate
            that is not trusted.
    """

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class RequestTimeoutError(RequestError, TimeoutError):
    """The service did not answer within the time of one attempt (see `Timeouts`)."""


class DisconnectedError(RequestError):
    """The connection broke before the answer was complete."""


class APIError(LumaError):
    """The service answered, and said no.

    Attributes:
        status: The HTTP status.
        message: What the service says of it, control characters escaped, at most 2,000 long.
        request_id: The service's name for the request, for its support; None if it gave none.
        path: The path that was asked, without its query.
        retry_after: The seconds after which the service will take the request again; None if
            it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        request_id: str | None = None,
        path: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        where = f" for {path}" if path else ""
        name = f" (request {request_id})" if request_id else ""
        super().__init__(f"HTTP {status}{where}: {message}{name}")
        self.status = status
        self.message = message
        self.request_id = request_id
        self.path = path
        self.retry_after = retry_after


class BadRequestError(APIError):
    """The service refused the content of the request (400, 422)."""


class AuthenticationError(APIError):
    """The service does not know the key (401)."""


class OutOfCreditsError(APIError):
    """The account cannot pay for the request (402, or 403 that speaks of credits)."""


class PermissionDeniedError(APIError):
    """The account may not do this (403)."""


class NotFoundError(APIError):
    """The service does not know what was asked for (404).

    So ends the wait for one that stays missing from the answers, after a grace (`PollPolicy`).
    """


class RateLimitError(APIError):
    """The service takes no more for now (429); `retry_after` says for how long, if known."""


class ServerError(APIError):
    """The service, or a proxy before it, failed (5xx)."""


class ResponseFormatError(LumaError):
    """The service answered what cannot be read.

    Attributes:
        problems: What is wrong and where, as in ``"expected text at $[0].id"``; the message
            shows the first five.
        status: The HTTP status of the answer; None if it is not known.
    """

    def __init__(self, problems: Sequence[str], *, status: int | None = None) -> None:
        more = f"; and {len(problems) - 5:,} more" if len(problems) > 5 else ""
        super().__init__("the answer cannot be read: " + "; ".join(problems[:5]) + more)
        self.problems: tuple[str, ...] = tuple(problems)
        self.status = status


class SubmissionUnknownError(LumaError):
    """A paid request was sent, and nothing proves whether the service accepted it.

    It was not sent again, and should not be before you looked: if it was accepted, the video is
    being made and is paid. ``await luma.list()`` shows the account's generations with their
    prompts; one that was not there before `sent_at` is the one. If none has appeared after some
    minutes, it was not accepted, and creating it anew pays once.

    Attributes:
        order: What was asked for.
        sent_at: When the request was sent (UTC).
        reason: Why the outcome is unknown.
        status: The HTTP status, if an answer came.
        request_id: The service's name for the request, if it gave one.
    """

    def __init__(
        self,
        *,
        order: "Order",
        sent_at: datetime,
        reason: str,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(
            f"the outcome of a paid request sent at {sent_at:%Y-%m-%d %H:%M:%S} UTC is unknown "
            f"({reason}); it was not sent again. Before you pay again, look for the prompt "
            f"{order.excerpt!r} in list(): if it is there, the video is being made and is paid"
        )
        self.order = order
        self.sent_at = sent_at
        self.reason = reason
        self.status = status
        self.request_id = request_id


class GenerationFailedError(LumaError):
    """The service ended a generation without a video. It was not ordered again.

    Attributes:
        generation: The generation, with its `failure_reason` if the service gave one.
    """

    def __init__(self, generation: "Generation") -> None:
        if generation.is_completed:
            why = "was completed, but its video has not appeared; it is paid: get() it later"
        else:
            # As a literal, since it may hold what would take over a terminal.
            reason = generation.failure_reason
            why = f"failed: {reason[:2000]!r}" if reason else "failed without a reason given"
        super().__init__(f"generation {generation.id} {why}")
        self.generation = generation


class WaitTimeoutError(LumaError, TimeoutError):
    """The time given to a wait is over. Nothing was cancelled at the service.

    What is pending still runs there and is still paid. Waiting for the same ids again resumes:
    ``await luma.wait_until_done(error.pending)``. Do not create them again.

    Attributes:
        pending: The ids that are not finished, in the order asked.
        finished: The generations that did finish, failed ones included.
    """

    def __init__(
        self, *, timeout: float, pending: Sequence[str], finished: Sequence["Generation"] = ()
    ) -> None:
        shown = ", ".join(pending[:3]) + (", ..." if len(pending) > 3 else "")
        super().__init__(
            f"{len(pending)} not finished after {timeout:g} s: {shown}. Still running, and still "
            "paid: wait for the same ids again, and do not create them anew"
        )
        self.pending: tuple[str, ...] = tuple(pending)
        self.finished: tuple[Generation, ...] = tuple(finished)


class WaitErrorGroup(LumaError, ExceptionGroup[LumaError]):  # noqa: N818 - as ExceptionGroup
    """Some of the generations that were waited for together did not end in a video.

    Its members are one error for each of them, `GenerationFailedError` or `NotFoundError`; the
    members of the first kind carry their generation.

    Attributes:
        completed: The generations that did end in a video, in the order asked.
    """

    completed: tuple["Generation", ...]

    def __new__(
        cls,
        message: str,
        errors: Sequence[LumaError],
        *,
        completed: Sequence["Generation"] = (),
    ) -> Self:
        """Make the group; `completed` is kept beside its members."""
        self = super().__new__(cls, message, errors)
        self.completed = tuple(completed)
        return self

    def __init__(
        self,
        message: str,
        errors: Sequence[LumaError],
        *,
        completed: Sequence["Generation"] = (),
    ) -> None:
        super().__init__(message, errors)

    def derive(self, errors: Sequence[LumaError], /) -> "WaitErrorGroup":  # type: ignore[override]
        """Keep `completed` in the parts that ``except*`` splits off."""
        return WaitErrorGroup(self.message, errors, completed=self.completed)


class DownloadError(LumaError):
    """A video could not be fetched or stored; it is paid and can be downloaded again.

    Attributes:
        generation_id: Which one; None where that was not known yet.
    """

    generation_id: str | None = None


class VideoExpiredError(DownloadError):
    """The address of a video is no longer served, and a fresh one was refused as well."""


class LedgerError(LumaError):
    """The record of a batch is locked, damaged, or belongs to another account."""
