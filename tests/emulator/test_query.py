"""Reading queries as the npm package `qs` reads them."""

import pytest
from hypothesis import given, strategies

from luma_async.emulator.http_errors import HttpError
from luma_async.emulator.query import Parsed, parse, read_ids


def numbered(count: int, start: int = 0) -> str:
    """Write the documented form, one position each."""
    return "&".join(f"ids[{place}]={place}" for place in range(start, start + count))


def as_object(first: int, last: int) -> dict[str, Parsed]:
    """Return the object that a list of these positions becomes."""
    return {str(place): str(place) for place in range(first, last + 1)}


def as_list(last: int) -> list[Parsed]:
    """Return the list of the texts from 0 to `last`."""
    return [str(place) for place in range(last + 1)]


# Every row was produced by qs 6.17.1 with the options that the Express framework sets.
VERIFIED: list[tuple[str, dict[str, Parsed]]] = [
    ("", {}),
    ("&&", {}),
    ("=x", {}),
    ("ids", {"ids": ""}),
    ("ids=a", {"ids": "a"}),
    ("ids=a=b", {"ids": "a=b"}),
    ("ids=a&ids=b", {"ids": ["a", "b"]}),
    ("ids[]=a", {"ids": ["a"]}),
    ("ids[]", {"ids": [""]}),
    ("ids[0]=a", {"ids": ["a"]}),
    ("ids%5B0%5D=a&ids%5b1%5d=b", {"ids": ["a", "b"]}),
    ("ids[1]=b&ids[0]=a", {"ids": ["a", "b"]}),
    ("ids[7]=a", {"ids": ["a"]}),
    ("ids[19]=a", {"ids": ["a"]}),
    ("ids[20]=a", {"ids": {"20": "a"}}),
    ("ids[01]=a", {"ids": {"01": "a"}}),
    ("ids[-1]=a", {"ids": {"-1": "a"}}),
    ("ids[x]=a", {"ids": {"x": "a"}}),
    ("ids[x=y]=a", {"ids": {"x=y": "a"}}),
    ("ids[0]=a&ids[0]=b", {"ids": [["a", "b"]]}),
    ("ids[0]=a&ids[x]=b", {"ids": {"0": "a", "x": "b"}}),
    ("ids[x]=a&ids[0]=b", {"ids": {"0": "b", "x": "a"}}),
    ("ids[x]=a&ids=b", {"ids": [{"x": "a"}, "b"]}),
    ("ids[x]=a&ids[x][y]=b", {"ids": {"x": ["a", {"y": "b"}]}}),
    ("ids[0][x]=a&ids[0][y]=b", {"ids": [{"x": "a", "y": "b"}]}),
    ("ids[0][x]=a&ids[0]=b", {"ids": [{"x": "a"}, "b"]}),
    ("ids=a&ids[0]=b", {"ids": ["a", "b"]}),
    ("ids=a&ids[19]=b", {"ids": {"0": "a", "20": "b"}}),
    ("ids=a&ids[20]=b", {"ids": {"0": "a", "21": "b"}}),
    ("ids[0]=a&ids=b", {"ids": ["a", "b"]}),
    ("ids[0]=a&ids=", {"ids": ["a"]}),
    ("ids[]=a&ids[0]=b", {"ids": ["a", "b"]}),
    ("ids[20]=a&ids=b", {"ids": {"20": "a", "21": "b"}}),
    ("ids[20]=a&ids[0]=b", {"ids": {"0": "b", "20": "a"}}),
    ("ids[][]=a", {"ids": ["a"]}),
    ("ids[=a", {"ids": {"[": "a"}}),
    ("ids[a[b]]=c", {"ids": {"a[b]": "c"}}),
    ("[ids]=a", {"ids": "a"}),
    ("ids[__proto__]=a", {"ids": {}}),
    ("a[b]c[d]=e", {"a": {"b": {"d": "e"}}}),
    (
        "a[b][c][d][e][f][g][h]=1",
        {"a": {"b": {"c": {"d": {"e": {"f": {"[g][h]": "1"}}}}}}},
    ),
    ("[a][b][c][d][e][f][g]=1", {"a": {"b": {"c": {"d": {"e": {"[f][g]": "1"}}}}}}),
    ("ids=a+b%20c%2B", {"ids": "a b c+"}),
    ("ids=%zz", {"ids": "%zz"}),
    ("ids=%ff+x", {"ids": "%ff x"}),
    ("ids=%C3%A9", {"ids": "é"}),
    (numbered(20), {"ids": as_list(19)}),
    (numbered(21), {"ids": as_object(0, 20)}),
    (numbered(25), {"ids": as_object(0, 24)}),
    (numbered(20, start=1), {"ids": as_object(1, 20)}),
    (numbered(20) + "&ids=20", {"ids": as_object(0, 20)}),
    (numbered(20) + "&ids[]=20", {"ids": as_object(0, 20)}),
    ("&".join(f"ids[]={place}" for place in range(20)), {"ids": as_list(19)}),
    ("&".join(f"ids[]={place}" for place in range(21)), {"ids": as_object(0, 20)}),
    ("&".join(f"ids[]={place}" for place in range(23)), {"ids": as_object(0, 22)}),
    ("&".join(f"ids={place}" for place in range(20)), {"ids": as_list(19)}),
    ("&".join(f"ids={place}" for place in range(21)), {"ids": as_object(0, 20)}),
]


@pytest.mark.parametrize(("query", "expected"), VERIFIED)
def test_queries_are_read_as_the_real_parser_reads_them(
    query: str, expected: dict[str, Parsed]
) -> None:
    """A query means to the emulator what it means to the service."""
    assert expected == parse(query)


def test_only_a_thousand_parameters_are_read() -> None:
    """What stands behind the thousandth parameter never reaches the service."""
    query = "&".join([*(f"p{place}=1" for place in range(1000)), "ids[]=lost"])

    assert 1000 == len(parse(query))
    assert "ids" not in parse(query)


@pytest.mark.parametrize("query", [numbered(20), "&".join(f"ids[]={n}" for n in range(20))])
def test_twenty_ids_fit_into_one_question(query: str) -> None:
    """Twenty ids are a list in every form, and are read in their order."""
    assert tuple(str(place) for place in range(20)) == read_ids(query)


@pytest.mark.parametrize("query", ["", "ids=a", "ids[x]=a", numbered(21)])
def test_ids_that_are_no_list_are_refused(query: str) -> None:
    """Nothing but a list will do, and the complaint says so."""
    with pytest.raises(HttpError, match="ids must be an array") as caught:
        read_ids(query)

    assert 400 == caught.value.status


def test_ids_that_are_lists_themselves_are_refused() -> None:
    """One position given twice makes a list inside the list, which is no id."""
    with pytest.raises(HttpError, match="each value in ids must be a string"):
        read_ids("ids[0]=a&ids[0]=b")


@given(
    strategies.text()
    | strategies.lists(
        strategies.sampled_from(["ids", "[", "]", "[]", "[0]", "[20]", "=", "&", "a", "%5B", "%"])
    ).map("".join)
)
def test_no_query_breaks_the_parser(query: str) -> None:
    """Whatever stands behind the question mark is read as something."""
    assert isinstance(parse(query), dict)
