"""Decides; never acts. No coroutine, no I/O, no clock: time and chance are arguments."""
