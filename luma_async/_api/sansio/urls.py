"""Which URLs the client will talk to, or pass on; others raise `ConfigurationError`."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from luma_async.errors import ConfigurationError

MAX_LENGTH = 4096

# Only what RFC 3986 allows in an address. Parsers disagree about all other characters, and what
# is checked here has to be what is fetched later.
_ALLOWED = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_AUTHORITY = re.compile(
    r"([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])(:[0-9]*)?"
)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LOCAL_NAMES = ("localhost", "localdomain", "local", "internal", "home.arpa")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def split(url: object, *, what: str) -> SplitResult:
    """Take a web address apart."""
    if not isinstance(url, str):
        raise ConfigurationError(f"{what}: expected an address as text, not {type(url).__name__}")
    if len(url) > MAX_LENGTH:
        raise ConfigurationError(f"{what}: longer than {MAX_LENGTH} characters")
    if not _ALLOWED.fullmatch(url):
        raise ConfigurationError(f"{what}: not a web address; percent-encode special characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigurationError(f"{what}: not a web address") from None
    if parts.scheme not in ("http", "https"):
        raise ConfigurationError(
            f"{what}: expected an address that begins with https:// or http://"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(f"{what}: a user name or password does not belong in it")
    if not _AUTHORITY.fullmatch(parts.netloc) or (":" in host and literal(host) is None):
        raise ConfigurationError(f"{what}: it names no host")
    return parts


def literal(host: str) -> IPAddress | None:
    """Read a host that is written as an IP address; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: IPAddress) -> bool:
    """Whether an IP address belongs to the public internet, IPv4 within IPv6 included."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    address = literal(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def check_public(url: object, *, what: str, allow_local: bool = False) -> str:
    """Pass an https address on the public internet; with `allow_local`, loopback and http too.

    Names are judged as they are written; what they resolve to is checked on connecting.
    """
    parts = split(url, what=what)
    host = parts.hostname or ""
    if allow_local and is_loopback(host):
        return str(url)
    if parts.scheme != "https":
        raise ConfigurationError(f"{what}: expected an address that begins with https://")
    _check_public_host(host, what=what)
    return str(url)


def _check_public_host(host: str, *, what: str) -> None:
    address = literal(host)
    name = host.rstrip(".").lower()
    # "127.1" and "0x7f.1" are names to a strict parser, and 127.0.0.1 to the resolver.
    disguised = address is None and _NUMBER.fullmatch(name.rpartition(".")[2])
    # A name of one label is looked up in the caller's own network.
    lone = address is None and "." not in name
    local = any(name == own or name.endswith(f".{own}") for own in _LOCAL_NAMES)
    if disguised or lone or local or (address is not None and not is_public(address)):
        raise ConfigurationError(f"{what}: {host} is not a host on the public internet")


def check_base_url(url: object) -> str:
    """Pass the address of an API, without a version prefix and a slash at its end."""
    parts = split(url, what="base_url")
    if parts.query or parts.fragment:
        raise ConfigurationError("base_url: a query or fragment does not belong in it")
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ConfigurationError("base_url: expected https, as the key must not travel in clear")
    path = re.sub(r"/v[12]$", "", parts.path.rstrip("/"))
    return f"{parts.scheme}://{parts.netloc}{path}"
