"""Async client for video generation with Luma Dream Machine on AI/ML API.

`LumaClient` is where to begin. The options of a client are in `luma_async.settings`, the values
that it takes and returns in `luma_async.models`, and what it raises in `luma_async.errors`.
Many videos that have to be paid once, whatever happens to the program: `luma_async.batch`.

A name is loaded when it is first used (PEP 562): pytest imports the package for its fixture in
every environment that has it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from luma_async._version import __version__

if TYPE_CHECKING:
    from luma_async._api.sansio.api_key import Account
    from luma_async._payments.recorder import Recorder
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
else:  # type checkers would take any name for one of ours

    def __getattr__(name: str) -> object:
        if name in __all__:
            module = import_module(f"{__name__}.{_MODULES.get(name, 'errors')}")
            return globals().setdefault(name, getattr(module, name))
        if name in {"errors", *_MODULES.values()}:
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


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

_NAMES = {
    "_api.sansio.api_key": ("Account",),
    "_payments.recorder": ("Recorder",),
    "client": ("LumaClient",),
    "logs": ("KeyFilter",),
    "models": (
        *("AspectRatio", "Durations", "Generation", "GenerationSummary"),
        *("Order", "Statistics", "UploadedImage", "Video"),
    ),
    "outcome": ("Outcome",),
    "settings": ("Budget", "Learned", "Limits", "PollPolicy", "RetryPolicy", "Timeouts"),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
"""Where each name is that is no error."""


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
