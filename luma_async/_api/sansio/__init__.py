"""Requests and responses of the service, without I/O."""
