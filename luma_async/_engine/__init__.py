"""The parts of an open client, put together."""
