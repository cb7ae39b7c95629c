"""Reading ids as the service's query parser, the npm package `qs`, reads them."""

from contextlib import suppress

import pytest
from hypothesis import given, strategies

from luma_async.emulator.http_errors import HttpError
from luma_async.emulator.query import read_ids

NO_LIST = "ids must be an array"
NO_STRINGS = "each value in ids must be a string"


def numbered(count: int, start: int = 0) -> str:
    """Write the documented form, one position for each id."""
    return "&".join(f"ids[{place}]={place}" for place in range(start, start + count))


def repeated(key: str, count: int) -> str:
    """Write the same key for every id."""
    return "&".join(f"{key}={place}" for place in range(count))


# qs 6.17.1, with the options that Express sets, returns a list of these strings.
LISTS = [
    ("ids=a&ids=b", ["a", "b"]),
    ("ids[]=a", ["a"]),
    ("ids[]", [""]),
    ("ids[0]=a", ["a"]),
    ("ids[0]=a=b", ["a=b"]),
    ("ids%5B0%5D=a&ids%5b1%5d=b", ["a", "b"]),
    ("ids[1]=b&ids[0]=a", ["a", "b"]),
    ("ids[10]=c&ids[9]=b&ids[2]=a", ["a", "b", "c"]),
    ("ids[19]=a", ["a"]),
    ("ids=a&ids[0]=b", ["a", "b"]),
    ("ids[0]=a&ids=b", ["a", "b"]),
    ("ids[]=a&ids[0]=b", ["a", "b"]),
    ("state=x&ids[]=a&idsx=b", ["a"]),
    ("ids[]=a+b%20c%2B", ["a b c+"]),
    ("ids[]=%zz", ["%zz"]),
    ("ids[]=%C3%A9", ["é"]),
    (numbered(20), [str(place) for place in range(20)]),
    (repeated("ids[]", 20), [str(place) for place in range(20)]),
    (repeated("ids", 20), [str(place) for place in range(20)]),
]

# It returns something else for these: nothing, a string, an object, or a list of lists.
ERRORS = [
    ("", NO_LIST),
    ("&&", NO_LIST),
    ("=x", NO_LIST),
    ("ids", NO_LIST),
    ("ids=a", NO_LIST),
    ("ids=a,b", NO_LIST),
    ("[ids]=a", NO_LIST),
    ("ids[20]=a", NO_LIST),
    ("ids[01]=a", NO_LIST),
    ("ids[-1]=a", NO_LIST),
    ("ids[x]=a", NO_LIST),
    ("ids[x=y]=a", NO_LIST),
    ("ids[=a", NO_LIST),
    ("ids[__proto__]=a", NO_LIST),
    ("ids[0]=a&ids[x]=b", NO_LIST),
    (f"ids[{'9' * 5000}]=a", NO_LIST),
    (numbered(21), NO_LIST),
    (numbered(20, start=1), NO_LIST),
    (numbered(20) + "&ids=20", NO_LIST),
    (numbered(20) + "&ids[]=20", NO_LIST),
    (repeated("ids[]", 21), NO_LIST),
    (repeated("ids", 21), NO_LIST),
    ("ids[0]=a&ids[0]=b", NO_STRINGS),
]


@pytest.mark.parametrize(("query", "ids"), LISTS)
def test_lists_are_read_in_their_order(query: str, ids: list[str]) -> None:
    """Up to twenty ids are read in every form of a list."""
    assert tuple(ids) == read_ids(query)


@pytest.mark.parametrize(("query", "message"), ERRORS)
def test_anything_else_is_a_bad_request(query: str, message: str) -> None:
    """The service answers 400 to a query that does not contain a list of strings."""
    with pytest.raises(HttpError, match=message) as caught:
        read_ids(query)

    assert 400 == caught.value.status


@given(
    strategies.text()
    | strategies.lists(
        strategies.sampled_from(
            ["ids", "[", "]", "[]", "[0]", "[20]", "=", "&", "a", "%5B", "%", "%ff", "\udcff"]
        )
    ).map("".join)
)
def test_no_query_breaks_the_parser(query: str) -> None:
    """Every query is a list of strings or a bad request."""
    with suppress(HttpError):
        assert all(isinstance(item, str) for item in read_ids(query))
