"""What the ending of a paid request means.

There are four endings and no fifth. Only two of them may be repeated, and both are proven not
to have been accepted; everything else is unknown, and unknown is never sent again.
"""

from attrs import frozen

from luma_async._api.sansio.http_status import meaning_of
from luma_async._api.sansio.responses import Response, excerpt, read_created, read_error
from luma_async.errors import APIError, ConnectError, RequestError, ResponseFormatError
from luma_async.models import Generation


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


def classify_response(response: Response) -> SubmissionResult:
    """Say what a complete answer means."""
    if 200 <= response.status < 300:
        try:
            return Accepted(read_created(response))
        except APIError as error:
            refused = error
        except ResponseFormatError as error:
            # What could not be read may hold the id all the same, for a person to find.
            reason = f"{error}; the answer begins {excerpt(response.body)!r}"
            return Unknown(reason, response.status, response.request_id)
    else:
        refused = read_error(response)
    if meaning_of(refused.status).refuses_order:
        # A limit under the status of a success is believed, but not enough to order again.
        return Rejected(refused, repeatable=meaning_of(response.status).repeats_order)
    return Unknown(str(refused), refused.status, refused.request_id)


def classify_failure(error: RequestError) -> SubmissionResult:
    """Say what it means that no answer came."""
    if isinstance(error, ConnectError):
        return NotSent(error)
    return Unknown(str(error))
