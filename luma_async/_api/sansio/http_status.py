"""What each HTTP status of the API means: the error, and what may follow for each kind of request.

One table, as a status that is judged in two places would be judged in two ways.
"""

from enum import Enum

from attrs import frozen

from luma_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConnectError,
    LumaError,
    NotFoundError,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    ResponseFormatError,
    ServerError,
)


class PollFailure(Enum):
    """What the failure of a status request says."""

    LIMITED = "the service asks for fewer requests"
    TOO_LARGE = "the request is too long"
    REFUSED = "the service does not take what was asked for"
    SPOILED = "the service may have choked on one of the ids"
    DOWN = "the service is not there, or takes nobody in"

    @property
    def may_be_for_ids(self) -> bool:
        """Whether the same request without one of its ids may succeed."""
        return self in (PollFailure.REFUSED, PollFailure.SPOILED)


@frozen
class StatusMeaning:
    """What a status means.

    Attributes:
        error: The class of the error.
        poll_failure: What it says of a status request.
        is_transient: Whether a free request may succeed when it is repeated.
        refuses_order: Whether it proves that a create or extend was not accepted. Where it does
            not, a proxy may have answered after the service took the order.
        repeats_order: Whether a create or extend that it refuses may be sent again.
    """

    error: type[APIError] = APIError
    poll_failure: PollFailure = PollFailure.DOWN
    is_transient: bool = False
    refuses_order: bool = False
    repeats_order: bool = False


_REFUSES = StatusMeaning(refuses_order=True)
_TOO_LARGE = StatusMeaning(poll_failure=PollFailure.TOO_LARGE, refuses_order=True)
_BAD_REQUEST = StatusMeaning(BadRequestError, PollFailure.REFUSED, refuses_order=True)
_SERVER = StatusMeaning(ServerError)
_SERVER_DOWN = StatusMeaning(ServerError, is_transient=True)
# A service that chokes on one of many ids ends in 500; a gateway makes 502, 504 or the like of it.
_SERVER_SPOILED = StatusMeaning(ServerError, PollFailure.SPOILED, is_transient=True)

_MEANINGS = {
    400: _BAD_REQUEST,
    401: StatusMeaning(AuthenticationError, refuses_order=True),
    402: StatusMeaning(OutOfCreditsError, refuses_order=True),
    403: StatusMeaning(PermissionDeniedError, refuses_order=True),
    404: StatusMeaning(NotFoundError, PollFailure.REFUSED, refuses_order=True),
    **dict.fromkeys((405, 406, 410, 411, 415, 417, 421, 431, 451), _REFUSES),
    408: StatusMeaning(is_transient=True),
    413: _TOO_LARGE,
    414: _TOO_LARGE,
    422: _BAD_REQUEST,
    425: StatusMeaning(is_transient=True, refuses_order=True, repeats_order=True),
    429: StatusMeaning(
        RateLimitError,
        PollFailure.LIMITED,
        is_transient=True,
        refuses_order=True,
        repeats_order=True,
    ),
    500: _SERVER_SPOILED,
    502: _SERVER_SPOILED,
    503: _SERVER_DOWN,
    504: _SERVER_SPOILED,
    **dict.fromkeys(range(520, 528), _SERVER_DOWN),
    **dict.fromkeys((520, 522, 524), _SERVER_SPOILED),
    530: _SERVER_DOWN,
}
_UNLISTED = StatusMeaning()


def meaning_of(status: int) -> StatusMeaning:
    """Return what a status means; one that is not listed proves nothing, and is not repeated."""
    return _MEANINGS.get(status, _SERVER if 500 <= status <= 599 else _UNLISTED)


def poll_failure_of(error: LumaError) -> PollFailure:
    """Say what the failure of a status request says.

    A service that chokes on an id may also break the connection, hang, or send what nobody can
    read.
    """
    if isinstance(error, APIError):
        return meaning_of(error.status).poll_failure
    is_response = isinstance(error, (RequestError, ResponseFormatError))
    if is_response and not isinstance(error, ConnectError):
        return PollFailure.SPOILED
    return PollFailure.DOWN
