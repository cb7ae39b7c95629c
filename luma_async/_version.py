"""The version of the package, read by the build and sent as part of the User-Agent."""

__version__ = "0.1.0"
