"""Which web addresses the client will talk to, or pass on."""

import ipaddress

import pytest
from hypothesis import given, settings, strategies as st

from luma_async._api.sansio import urls
from luma_async.errors import ConfigurationError

GOOD = "https://cdn.example.com/videos/1.mp4?X-Amz-Expires=3600&a=%20#t=1"

PRIVATE_NETWORKS = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
PRIVATE_NETWORKS_6 = [
    ipaddress.IPv6Network(network)
    for network in ("::/96", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "64:ff9b:1::/48")
]


def private_numbers() -> st.SearchStrategy[int]:
    """Draw private IPv4 addresses as numbers."""
    return st.sampled_from(PRIVATE_NETWORKS).flatmap(
        lambda network: st.integers(int(network[0]), int(network[-1]))
    )


def spellings(number: int) -> list[str]:
    """Write one IPv4 address in all the ways that resolvers take it."""
    a, b, c, d = number.to_bytes(4, "big")
    high, low = number >> 16, number & 0xFFFF
    return [
        f"{a}.{b}.{c}.{d}",
        f"{a}.{b}.{c}.{d}.",
        f"{a}.{b}.{low}",
        f"{a}.{number & 0xFFFFFF}",
        f"{number}",
        f"{number}.",
        f"{number:#x}",
        f"{number:#X}",
        f"0{number:o}",
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a:#x}.{number & 0xFFFFFF}",
        f"{a}.{b}.{c}.{d:#x}",
        f"[::ffff:{a}.{b}.{c}.{d}]",
        f"[::FFFF:{high:X}:{low:X}]",
        f"[::{a}.{b}.{c}.{d}]",
        f"[0:0:0:0:0:ffff:{high:x}:{low:x}]",
        f"[64:ff9b::{high:x}:{low:x}]",
        f"[2002:{high:x}:{low:x}::1]",
    ]


@settings(deadline=None)
@given(private_numbers())
def test_a_private_ipv4_host_is_refused_however_it_is_spelled(number: int) -> None:
    """Decimal, hexadecimal, octal, shortened, mapped: all of them lead into a private network."""
    accepted = []
    for host in spellings(number):
        for spelled in (host, host.upper()):
            try:
                accepted.append(urls.check_public(f"https://{spelled}/a", what="url"))
            except ConfigurationError:
                continue
    assert [] == accepted


@settings(deadline=None)
@given(
    st.sampled_from(PRIVATE_NETWORKS_6).flatmap(
        lambda network: st.integers(int(network[0]), int(network[-1]))
    ),
    st.sampled_from(["", ":443", ":8080", ":"]),
)
def test_a_private_ipv6_host_is_refused_however_it_is_spelled(number: int, port: str) -> None:
    """Short, exploded or in upper case, a private IPv6 address is private."""
    address = ipaddress.IPv6Address(number)
    for host in (address.compressed, address.exploded, address.exploded.upper()):
        with pytest.raises(ConfigurationError, match="not a host on the public internet"):
            urls.check_public(f"https://[{host}]{port}/", what="url")


@given(
    st.text(st.sampled_from("0123456789abcdefxXABC.:[]%@/\\ -_~#?l"), max_size=40),
)
def test_any_text_is_passed_or_refused_and_nothing_else(text: str) -> None:
    """No text, however broken, brings another error than ours."""
    try:
        passed = urls.check_public(f"https://{text}", what="url")
    except ConfigurationError:
        return
    host = urls.split(passed, what="url").hostname or ""
    address = urls.literal(host)
    assert address is None or urls.is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("localhost", id="S13 this machine"),
        pytest.param("LOCALHOST", id="S13 upper case"),
        pytest.param("localhost.", id="S13 trailing dot"),
        pytest.param("video.localhost", id="S13 below localhost"),
        pytest.param("localhost.localdomain", id="S13 localdomain"),
        pytest.param("printer.local", id="S13 mDNS"),
        pytest.param("metadata.google.internal", id="S13 metadata service by name"),
        pytest.param("169.254.169.254", id="S13 metadata service"),
        pytest.param("router.home.arpa", id="S13 home network"),
        pytest.param("intranet", id="S13 a single label"),
        pytest.param("0x7f.1", id="S13 0x7f.1"),
        pytest.param("127.1", id="S13 127.1"),
        pytest.param("0", id="S13 zero"),
        pytest.param("0x", id="S13 an empty hexadecimal number"),
        pytest.param("[::1]", id="S13 IPv6 loopback"),
        pytest.param("[::]", id="S13 IPv6 unspecified"),
        pytest.param("[::ffff:127.0.0.1]", id="S13 mapped"),
        pytest.param("[64:ff9b::7f00:1]", id="S13 NAT64"),
        pytest.param("[64:ff9b:1::7f00:1]", id="S13 local NAT64"),
        pytest.param("[::127.0.0.1]", id="S13 IPv4 compatible"),
        pytest.param("[fec0::1]", id="S13 site-local"),
    ],
)
def test_a_video_on_a_private_host_is_refused(host: str) -> None:
    """The service cannot make the client reach into the network of its user."""
    with pytest.raises(ConfigurationError, match=r"video: .* is not a host on the public internet"):
        urls.check_public(f"https://{host}/v.mp4", what="video")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("/v.mp4", "begins with https", id="S12 relative"),
        pytest.param("//cdn.example.com/v.mp4", "begins with https", id="S12 without a scheme"),
        pytest.param("file:///etc/passwd", "begins with https", id="S12 file"),
        pytest.param("javascript:alert(1)", "begins with https", id="S12 javascript"),
        pytest.param("data:video/mp4;base64,AAAA", "begins with https", id="S12 data"),
        pytest.param("ftp://example.com/v.mp4", "begins with https", id="S12 ftp"),
        pytest.param("http://example.com/v.mp4", "begins with https", id="S12 not encrypted"),
        pytest.param("https://u:p@example.com/", "password", id="S12 userinfo"),
        pytest.param("https://example.com@evil.com/", "user name", id="S12 a host as user"),
        pytest.param("http://h\r\nX: 1/", "not a web address", id="S12 CRLF"),
        pytest.param("https://h\x00/", "not a web address", id="S12 NUL"),
        pytest.param("https://example.com\\@evil.com/", "not a web address", id="S12 backslash"),
        pytest.param("https://ex\u0430mple.com/", "not a web address", id="S12 not ASCII"),
        pytest.param("https://example.com/" + "a" * 4096, "longer than 4096", id="S12 too long"),
        pytest.param("", "not a web address", id="S12 empty"),
        pytest.param("https://", "names no host", id="S12 no host"),
        pytest.param("https:///v.mp4", "names no host", id="S12 empty host"),
        pytest.param("https://.example.com/", "names no host", id="S12 an empty label"),
        pytest.param("https://example..com/", "names no host", id="S12 two dots"),
        pytest.param("https://a%2eb/", "names no host", id="S12 an encoded host"),
        pytest.param("https://[]/", "not a web address", id="S12 empty brackets"),
        pytest.param("https://[::1/", "not a web address", id="S12 half a bracket"),
        pytest.param("https://[1::2::3]/", "not a", id="S12 no IPv6 address"),
        pytest.param("https://[v1.abc]/", "names no host", id="S12 an address of the future"),
        pytest.param("https://[2606:4700::1%25lo]/", "names no host", id="S12 a zone"),
        pytest.param("https://[2606:4700::1]127.0.0.1/", "n", id="S12 text after brackets"),
        pytest.param("https://127.0.0.1[2606:4700::1]/", "n", id="S12 text before brackets"),
        pytest.param("https://example.com:99999/", "not a web address", id="S12 no such port"),
        pytest.param("https://example.com:x/", "not a web address", id="S12 port of letters"),
        pytest.param(None, "as text, not NoneType", id="U10 nothing"),
        pytest.param(b"https://example.com/", "as text, not bytes", id="U10 bytes"),
    ],
)
def test_what_is_no_public_https_address_is_refused(url: object, problem: str) -> None:
    """An address that parsers could read in two ways is not read at all."""
    with pytest.raises(ConfigurationError, match=f"video: .*{problem}"):
        urls.check_public(url, what="video")


@pytest.mark.parametrize(
    "url",
    [
        GOOD,
        "https://CDN.example.com:8443/",
        "https://cdn.example.com./",
        "https://8.8.8.8/v.mp4",
        "https://[2606:4700::1111]/",
        "https://[2606:4700::1111]:443/",
        "https://[64:ff9b::808:808]/",
        "https://[::ffff:8.8.8.8]/",
        "https://1.example.com/",
    ],
)
def test_an_address_on_the_public_internet_is_passed_as_it_is(url: str) -> None:
    """What is checked is what is fetched, to the letter."""
    assert url == urls.check_public(url, what="url")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/v.mp4", "http://localhost/v", "https://[::1]:1/", GOOD]
)
def test_an_emulator_may_serve_videos_from_this_machine(url: str) -> None:
    """Where loopback is allowed, it needs no encryption either."""
    assert url == urls.check_public(url, what="url", allow_local=True)


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://10.0.0.1/", "https://0x7f.1/", "https://localhost./"]
)
def test_an_emulator_may_not_lead_anywhere_else(url: str) -> None:
    """To allow loopback does not allow the rest of the private network."""
    with pytest.raises(ConfigurationError):
        urls.check_public(url, what="url", allow_local=True)


@pytest.mark.parametrize(
    ("given_url", "base"),
    [
        pytest.param("https://api.aimlapi.com", "https://api.aimlapi.com", id="as it is"),
        pytest.param("https://api.aimlapi.com/", "https://api.aimlapi.com", id="U11 slash"),
        pytest.param("https://api.aimlapi.com/v1", "https://api.aimlapi.com", id="U11 v1"),
        pytest.param("https://api.aimlapi.com/v2/", "https://api.aimlapi.com", id="U11 v2"),
        pytest.param("https://relay.example/a/v1", "https://relay.example/a", id="U11 a path"),
        pytest.param("https://relay.example/v10", "https://relay.example/v10", id="U11 v10"),
        pytest.param("http://127.0.0.1:8080/", "http://127.0.0.1:8080", id="U11 loopback"),
        pytest.param("http://localhost:1", "http://localhost:1", id="U11 localhost"),
        pytest.param("http://[::1]:1", "http://[::1]:1", id="U11 IPv6 loopback"),
        pytest.param("HTTPS://api.aimlapi.com", "https://api.aimlapi.com", id="U11 upper case"),
    ],
)
def test_the_address_of_the_api_is_normalised(given_url: str, base: str) -> None:
    """A copied address works with its version prefix and its slash."""
    assert base == urls.check_base_url(given_url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        pytest.param("http://api.aimlapi.com", "must not travel in clear", id="U11 http"),
        pytest.param("http://10.0.0.1", "must not travel in clear", id="U11 http at home"),
        pytest.param("https://api.aimlapi.com?a=1", "query", id="U11 query"),
        pytest.param("https://api.aimlapi.com#a", "fragment", id="U11 fragment"),
        pytest.param("https://me@api.aimlapi.com", "user name", id="U11 userinfo"),
        pytest.param("api.aimlapi.com", "begins with https", id="U11 no scheme"),
        pytest.param(17, "as text, not int", id="U11 a number"),
    ],
)
def test_an_address_that_would_give_the_key_away_is_refused(url: object, problem: str) -> None:
    """The key goes to one origin, encrypted, or to this machine."""
    with pytest.raises(ConfigurationError, match=f"base_url: .*{problem}"):
        urls.check_base_url(url)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    """Loopback is what never leaves this machine."""
    assert urls.is_loopback(host)


@pytest.mark.parametrize("host", ["", "example.com", "10.0.0.1", "localhost.example.com"])
def test_other_machines_are_not_this_one(host: str) -> None:
    """A private network is not loopback, nor is a name that looks like it."""
    assert not urls.is_loopback(host)
