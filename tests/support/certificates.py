"""A certificate of 127.0.0.1 for itself, which nobody trusts without being told to."""

import ssl
from pathlib import Path

# Made by: openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500
#   -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1
_LOOPBACK = Path(__file__).parent.parent / "samples" / "loopback.pem"


def presenting() -> ssl.SSLContext:
    """Serve with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(_LOOPBACK)
    return context


def trusting() -> ssl.SSLContext:
    """Trust that certificate."""
    return ssl.create_default_context(cafile=_LOOPBACK)
