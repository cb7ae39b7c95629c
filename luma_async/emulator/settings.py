"""The options of an emulated service."""

import attrs
from attrs.validators import and_, ge, gt, le, optional

PRICE = 500_000
"""The price of a create or an extend in tokens."""


@attrs.frozen(kw_only=True)
class Settings:
    """The options of one service, validated at construction: a bad value is a `ValueError`.

    `Emulator` documents them.
    """

    api_key: str | None = attrs.field(default=None, repr=False)
    seed: int = 0
    median_seconds: float = attrs.field(default=60.0, validator=gt(0))
    sigma: float = attrs.field(default=0.5, validator=ge(0))
    time_scale: float = attrs.field(default=1.0, validator=gt(0))
    failure_rate: float = attrs.field(default=0.0, validator=and_(ge(0), le(1)))
    estimates: bool = False
    credits: int | None = attrs.field(default=None, validator=optional(ge(0)))
    requests_per_second: float | None = attrs.field(default=None, validator=optional(gt(0)))
    list_lag_seconds: float = attrs.field(default=0.0, validator=ge(0))
    url_lifetime_seconds: float = attrs.field(default=3600.0, validator=ge(0))
    video_padding_bytes: int = attrs.field(default=0, validator=and_(ge(0), le(2**32 - 9)))
