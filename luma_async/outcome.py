"""How one order of many ended."""

from attrs import frozen

from luma_async._notebook import block, line
from luma_async.errors import LumaError, SubmissionUnknownError
from luma_async.models import Generation, Order, html_parts


@frozen(kw_only=True)
class Outcome:
    """How one order ended; either `generation` is done and completed, or there is an `error`.

    Attributes:
        order: What was asked for.
        generation: What came of it. With an error it is the last that is known of the
            generation, or None where there never was one.
        error: Why there is no video.
    """

    order: Order
    generation: Generation | None = None
    error: LumaError | None = None

    def _repr_html_(self) -> str:
        parts = [line(self.order.user_prompt)]
        is_failed = False
        if self.generation is not None:
            parts = [*html_parts(self.generation)]
            is_failed = self.generation.is_failed
        if isinstance(self.error, SubmissionUnknownError):
            parts.append(line(str(self.error), label="This order may be paid"))
        elif self.error is not None and not is_failed:
            parts.append(line(str(self.error), label=type(self.error).__name__))
        return block(parts)
