"""An emulator of the Luma service of AI/ML API that runs on local ports.

It shares no code with the client: a mistake in one cannot hide in the other.
"""

from luma_async.emulator.faults import Fault
from luma_async.emulator.request_log import WireRequest
from luma_async.emulator.server import Emulator
from luma_async.emulator.timeline import Moment
from luma_async.emulator.virtual_time import VirtualTimeLoop
from luma_async.emulator.world import Bill, KnownGeneration

__all__ = [
    "Bill",
    "Emulator",
    "Fault",
    "KnownGeneration",
    "Moment",
    "VirtualTimeLoop",
    "WireRequest",
]
