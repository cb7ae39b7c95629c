"""The Luma service of AI/ML API in a box, on real ports of this machine and free of charge.

It shares no code with the client, so that no mistake of the one hides in the other.
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
