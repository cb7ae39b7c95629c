"""A certificate for 127.0.0.1, made anew for each run, by an authority that nobody trusts."""

import ssl

import trustme

_AUTHORITY = trustme.CA()
_LOOPBACK = _AUTHORITY.issue_cert("127.0.0.1")


def presenting() -> ssl.SSLContext:
    """Serve with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _LOOPBACK.configure_cert(context)
    return context


def trusting() -> ssl.SSLContext:
    """Trust its authority."""
    context = ssl.create_default_context()
    _AUTHORITY.configure_trust(context)
    return context
