"""Async client for video generation with Luma Dream Machine on AI/ML API.

`LumaClient` is where to begin. The options of a client are in `luma_async.settings`, the values
that it takes and returns in `luma_async.models`, and what it raises in `luma_async.errors`.
Many videos that have to be paid once, whatever happens to the program: `luma_async.batch`.
"""

from luma_async._api.sansio.api_key import Account
from luma_async._payments.recorder import Recorder
from luma_async._version import __version__
from luma_async.client import LumaClient
from luma_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    ClientStateError,
    ConfigurationError,
    ConnectError,
    DisconnectedError,
    DownloadError,
    GenerationFailedError,
    LedgerError,
    LumaError,
    NotFoundError,
    OutOfCreditsError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    RequestTimeoutError,
    ResponseFormatError,
    ServerError,
    SubmissionUnknownError,
    VideoExpiredError,
    WaitErrorGroup,
    WaitTimeoutError,
)
from luma_async.logs import KeyFilter
from luma_async.models import (
    AspectRatio,
    Durations,
    Generation,
    GenerationSummary,
    Order,
    Statistics,
    UploadedImage,
    Video,
)
from luma_async.outcome import Outcome
from luma_async.settings import Budget, Learned, Limits, PollPolicy, RetryPolicy, Timeouts

__all__ = [
    "APIError",
    "Account",
    "AspectRatio",
    "AuthenticationError",
    "BadRequestError",
    "Budget",
    "BudgetExceededError",
    "ClientStateError",
    "ConfigurationError",
    "ConnectError",
    "DisconnectedError",
    "DownloadError",
    "Durations",
    "Generation",
    "GenerationFailedError",
    "GenerationSummary",
    "KeyFilter",
    "Learned",
    "LedgerError",
    "Limits",
    "LumaClient",
    "LumaError",
    "NotFoundError",
    "Order",
    "OutOfCreditsError",
    "Outcome",
    "PermissionDeniedError",
    "PollPolicy",
    "RateLimitError",
    "Recorder",
    "RequestError",
    "RequestTimeoutError",
    "ResponseFormatError",
    "RetryPolicy",
    "ServerError",
    "Statistics",
    "SubmissionUnknownError",
    "Timeouts",
    "UploadedImage",
    "Video",
    "VideoExpiredError",
    "WaitErrorGroup",
    "WaitTimeoutError",
    "__version__",
]
