"""What the ending of a paid request means.

There are four endings and no fifth. Only two of them may be repeated, and both are proven not
to have been accepted; whatever does not fit is unknown, and unknown is never sent again.
"""

from attrs import frozen

from luma_async._api.sansio.responses import Response, excerpt, read_created, refusal
from luma_async.errors import APIError, ConnectError, RequestError, ResponseFormatError
from luma_async.models import Generation

REFUSING = frozenset(
    {400, 401, 402, 403, 404, 405, 406, 410, 411, 413, 414, 415, 417, 421, 422, 425, 429, 431, 451}
)
"""The statuses that say: this was not accepted. Others leave it open, 408, 409 and 5xx above all:
what answers may be a proxy, after the service has taken the order."""

_LIMITS = frozenset({425, 429})


@frozen
class Accepted:
    """The service took the order; it is paid."""

    generation: Generation


@frozen
class Rejected:
    """The service said no; nothing was paid."""

    error: APIError
    repeatable: bool


@frozen
class NotSent:
    """No byte reached the service; nothing was paid."""

    error: ConnectError

    @property
    def repeatable(self) -> bool:
        """Whether another attempt may fare better."""
        return self.error.retryable


@frozen
class Unknown:
    """The service may have taken the order."""

    reason: str
    status: int | None = None
    request_id: str | None = None


SubmissionResult = Accepted | Rejected | NotSent | Unknown


def classify_response(answer: Response) -> SubmissionResult:
    """Say what a complete answer means."""
    if 200 <= answer.status < 300:
        try:
            return Accepted(read_created(answer))
        except APIError as error:
            refused = error
        except ResponseFormatError as error:
            # What could not be read may hold the id all the same, for a person to find.
            reason = f"{error}; the answer begins {excerpt(answer.body)!r}"
            return Unknown(reason, answer.status, answer.request_id)
    else:
        refused = refusal(answer)
    if refused.status in REFUSING:
        # A limit that is told under the status of a success is believed, but not enough to order
        # again.
        return Rejected(refused, repeatable=answer.status in _LIMITS)
    return Unknown(str(refused), refused.status, refused.request_id)


def classify_failure(error: RequestError) -> SubmissionResult:
    """Say what it means that no answer came."""
    if isinstance(error, ConnectError):
        return NotSent(error)
    return Unknown(str(error))
