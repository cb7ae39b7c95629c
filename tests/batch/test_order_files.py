"""Orders from files, before anything is paid."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from luma_async._api.sansio.validation import check_order
from luma_async.batch.ledger.sansio.record import NewOrder
from luma_async.batch.sansio.order_files import read_orders
from luma_async.errors import ConfigurationError
from luma_async.models import Order

ENDINGS = ["txt", "jsonl", "ndjson", "csv", "tsv", "CSV", ""]


def orders(name: str, text: str) -> list[Order]:
    """Read a file for what is ordered."""
    return [new.order for new in read_orders(name, text.encode())]


def read_error(name: str, data: str | bytes) -> list[str]:
    """Have a file refused, and return the lines of the message."""
    with pytest.raises(ConfigurationError) as caught:
        read_orders(name, data.encode() if isinstance(data, str) else data)
    return str(caught.value).split("\n")


def test_a_text_file_holds_a_prompt_a_line() -> None:
    """Empty lines, spaces around a prompt and the mark at the beginning of a file do not matter."""
    assert [
        NewOrder(Order("A fox"), "prompts.txt:1"),
        NewOrder(Order("Zwei Füchse"), "prompts.txt:4"),
    ] == read_orders("prompts.txt", "\ufeffA fox\n\n \t\n  Zwei Füchse \n".encode())


@pytest.mark.parametrize("name", ["prompts", "csv", "prompts.csv.txt", "jsonl/prompts.md"])
def test_a_file_of_any_other_ending_is_text(name: str) -> None:
    """Only how the name of a file ends tells its kind."""
    assert [Order("prompt,id")] == orders(name, "prompt,id")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_system(end: str) -> None:
    """A file may come from Linux, Windows or an old Mac."""
    found = read_orders("prompts.txt", f"A fox{end}{end}Two foxes".encode())
    assert ["prompts.txt:1", "prompts.txt:3"] == [one.source for one in found]
    found = read_orders("prompts.csv", f"prompt{end}A fox{end}{end}Two foxes".encode())
    assert ["prompts.csv:2", "prompts.csv:4"] == [one.source for one in found]


@pytest.mark.parametrize("name", ["prompts.txt", "prompts.jsonl", "prompts.csv"])
def test_a_prompt_is_not_torn_where_no_line_ends(name: str) -> None:
    """A separator that came along with copied text does not make two videos of one prompt."""
    text = {
        "prompts.txt": "A fox\u2028in snow",
        "prompts.jsonl": '{"prompt": "A fox\u2028in snow"}',
        "prompts.csv": "prompt\nA fox\u2028in snow",
    }
    assert [Order("A fox\u2028in snow")] == orders(name, text[name])


def test_equal_prompts_are_two_orders() -> None:
    """A prompt that stands twice in a file is paid twice."""
    assert [Order("A fox"), Order("A fox")] == orders("prompts.txt", "A fox\nA fox\n")


def test_an_order_with_options_may_stand_among_prompts() -> None:
    """A line that begins with a brace is a JSON object in a text file, too."""
    text = 'A fox\n  {"prompt": "Two foxes", "aspect_ratio": "1:1"}\n'
    assert [Order("A fox"), Order("Two foxes", aspect_ratio="1:1")] == orders("a.txt", text)


FULL = Order(
    "A fox",
    aspect_ratio="9:16",
    expand_prompt=False,
    image_url="https://example.com/fox.jpg",
    image_end_url="https://example.com/end.jpg",
    extends="7c880e75:luma",
)


@pytest.mark.parametrize("name", ["orders.jsonl", "ORDERS.NDJSON", "orders.txt"])
def test_json_lines_hold_the_fields_of_orders(name: str) -> None:
    """Every field of an order can be given, and a name of my own."""
    line = {
        "id": "Fuchs 1",
        "user_prompt": " A fox ",
        "aspect_ratio": "9:16",
        "expand_prompt": False,
        "image_url": "https://example.com/fox.jpg",
        "image_end_url": "https://example.com/end.jpg",
        "extends": "7c880e75:luma",
    }
    assert [NewOrder(FULL, f"{name}:1", order_id="Fuchs 1")] == read_orders(
        name, json.dumps(line).encode()
    )


def test_null_stands_for_what_an_order_need_not_have() -> None:
    """Programs that write every field write null for what there is none of."""
    line = '{"id": null, "prompt": "A fox", "image_url": null, "extends": null}'
    assert [NewOrder(Order("A fox"), "a.jsonl:1")] == read_orders("a.jsonl", line.encode())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("A fox", "expected JSON", id="a bare prompt"),
        pytest.param('{"prompt": "A fox"', "expected JSON", id="cut"),
        pytest.param('{"prompt": "A\tfox"}', "expected JSON", id="a bare control character"),
        pytest.param('"A fox"', "expected a JSON object", id="no object"),
        pytest.param('{"prompt": "a", "prompt": "b"}', "a key occurs twice", id="repeated"),
        pytest.param('{"prompt": NaN}', "NaN is no JSON number", id="NaN"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
        pytest.param('{"prompt": ["a"]}', "'prompt': expected a single value", id="a list"),
        pytest.param('{"extends": {}}', "'extends': expected a single value", id="an object"),
        pytest.param("{}", "user_prompt is missing", id="no prompt"),
        pytest.param(
            '{"prompt": "a", "user_prompt": "a"}',
            "prompt and user_prompt are two names of one field",
            id="two prompts",
        ),
        pytest.param('{"prompt": " "}', "user_prompt is empty", id="an empty prompt"),
        pytest.param('{"prompt": 7}', "user_prompt: expected text, not int", id="a number"),
        pytest.param(
            '{"prompt": "a", "expand_prompt": "false"}',
            "expand_prompt='false': expected True or False",
            id="text for a truth",
        ),
        pytest.param(
            '{"prompt": "a", "expand_prompt": 1}',
            "expand_prompt=1: expected True or False",
            id="a number for a truth",
        ),
        pytest.param(
            '{"prompt": "a", "colour": "red"}',
            "'colour' is no field of an order; there are id, prompt, user_prompt, aspect_ratio, "
            "expand_prompt, image_url, image_end_url, extends",
            id="an unknown field",
        ),
    ],
)
def test_a_line_of_json_that_is_no_order_is_refused(line: str, problem: str) -> None:
    """I learn what is wrong with the line before it costs anything."""
    assert [f"a.jsonl:2: {problem}"] == read_error("a.jsonl", f'{{"prompt": "A fox"}}\n{line}\n')


@pytest.mark.parametrize(
    "value", ["", "a\nb", "x" * 201, 7, False, "\ud800"], ids=lambda value: repr(value)[:8]
)
def test_an_id_is_a_name_that_can_be_shown(value: object) -> None:
    """It is printed and searched for, so it is text, neither empty nor endless."""
    line = json.dumps({"id": value, "prompt": "A fox"})
    problem = "a.jsonl:1: id: expected text of 1 to 200 printable characters"
    assert [problem] == read_error("a.jsonl", line)


def test_an_id_may_be_long() -> None:
    """Two hundred characters are enough for any name."""
    found = read_orders("a.csv", f"id,prompt\n{'x' * 200},A fox\n,A fox\n".encode())
    assert ["x" * 200, None] == [one.order_id for one in found]


@pytest.mark.parametrize("first", ["A fox", ""], ids=["right", "wrong itself"])
def test_an_id_that_occurs_twice_is_refused_with_both_lines(first: str) -> None:
    """One name cannot stand for two orders, whatever else is wrong with them."""
    found = read_error("a.csv", f"id,prompt\nfox,{first}\nhare,A hare\nfox,Two foxes\n")
    assert "a.csv:4: id 'fox' is that of line 2, too" == found[-1]


@pytest.mark.parametrize(("name", "mark"), [("orders.csv", ","), ("orders.TSV", "\t")])
def test_the_first_row_names_the_fields(name: str, mark: str) -> None:
    """What a spreadsheet writes is read, whatever the order of its columns."""
    rows = [
        "extends,id,expand_prompt,user_prompt,image_end_url,aspect_ratio,image_url",
        "7c880e75:luma,1,No, A fox ,https://example.com/end.jpg,9:16,https://example.com/fox.jpg",
        ",,,Two foxes,,,",
        ",,,,,,",
    ]
    text = "\ufeff" + "\n".join(rows).replace(",", mark)
    assert [
        NewOrder(FULL, f"{name}:2", order_id="1"),
        NewOrder(Order("Two foxes"), f"{name}:3"),
    ] == read_orders(name, text.encode())


def test_a_quoted_cell_holds_whatever_is_in_it() -> None:
    """Commas, quotation marks and line breaks belong to the prompt; a space may go before it."""
    text = '\nprompt,aspect_ratio\n"A ""red"" fox,\r\nin snow",1:1\n\nTwo foxes, "4:3"\n'
    assert [
        NewOrder(Order('A "red" fox,\r\nin snow', aspect_ratio="1:1"), "a.csv:3"),
        NewOrder(Order("Two foxes", aspect_ratio="4:3"), "a.csv:6"),
    ] == read_orders("a.csv", text.encode())


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("true", True),
        ("TRUE", True),
        ("1", True),
        ("yes", True),
        ("", True),
        ("false", False),
        ("0", False),
        ("no", False),
    ],
)
def test_a_cell_says_yes_or_no(cell: str, *, expected: bool) -> None:
    """Spreadsheets write truth in many ways."""
    found = orders("a.csv", f"prompt,expand_prompt\nA fox,{cell}\n")
    assert [Order("A fox", expand_prompt=expected)] == found


def test_truth_is_read_where_it_is_due_alone() -> None:
    """A prompt of one word stays a word."""
    assert [Order("Yes"), Order("1")] == orders("a.csv", "prompt\nYes\n1\n")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        pytest.param("A fox", "expected 2 cells, as in the first row, not 1", id="too few"),
        pytest.param("A fox,1:1,", "expected 2 cells, as in the first row, not 3", id="too many"),
        pytest.param(",true", "user_prompt is empty", id="no prompt"),
        pytest.param("A fox,maybe", "expand_prompt='maybe': expected True or False", id="no truth"),
        pytest.param('A fox,"yes', "unexpected end of data", id="an open quote"),
        pytest.param('"A" fox,yes', "',' expected after '\"'", id="a stray quote"),
    ],
)
def test_a_row_that_is_no_order_is_refused(row: str, problem: str) -> None:
    """It is named by the line at which it begins, behind a row of several lines, too."""
    text = f'prompt,expand_prompt\n"A\nfox",yes\n{row}'
    assert [f"a.csv:4: {problem}"] == read_error("a.csv", text)


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        pytest.param("A fox,1:1", "'A fox' is no field of an order", id="no names"),
        pytest.param("prompt;id", "'prompt;id' is no field of an order", id="semicolons"),
        pytest.param("prompt,", "'' is no field of an order", id="a column without a name"),
        pytest.param("prompt,id,id", "a field is named twice", id="a name twice"),
        pytest.param("id,aspect_ratio", "user_prompt is missing", id="no prompt"),
        pytest.param("prompt,user_prompt", "prompt and user_prompt are two names", id="two"),
    ],
)
def test_a_first_row_that_names_no_fields_is_refused(head: str, problem: str) -> None:
    """I am told once, and not for each of the rows below."""
    (message,) = read_error("a.csv", f"{head}\nA fox,Two foxes\nA hare,Two hares\n")
    assert message.startswith(f"a.csv:1: {problem}")


def test_a_cell_beyond_all_bounds_is_refused() -> None:
    """What a lost quotation mark swallows does not become a prompt."""
    text = f'prompt\nA fox\n"{"x" * csv.field_size_limit()}x"\n'
    (message,) = read_error("a.csv", text)
    assert message.startswith("a.csv:3: field larger than field limit")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "A fox\nA\0fox"),
        ("a.jsonl", '{"prompt": "A fox"}\n{"prompt": "A\\u0000fox"}'),
        ("a.csv", "prompt\nA\0fox"),
    ],
)
def test_a_nul_is_no_part_of_a_prompt(name: str, text: str) -> None:
    """A damaged file is not paid for."""
    (message,) = read_error(name, text)
    assert message.startswith(f"{name}:2: user_prompt: U+0000 is ")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_in_another_encoding_is_refused(ending: str, mark: bytes) -> None:
    """A prompt is never sent with characters that its author did not write."""
    name = f"prompts.{ending}"
    data = mark + "prompt\r\n\x85\n".encode() + "Füchse\n".encode("latin-1")
    assert [f"{name}:3: expected UTF-8"] == read_error(name, data)


@pytest.mark.parametrize("text", ["", "\ufeff", " \n\r\n\t\n"], ids=["empty", "a mark", "blank"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_without_orders_is_refused(ending: str, text: str) -> None:
    """I gave the wrong file, or one that was not written to its end."""
    assert [f"prompts.{ending} holds no orders"] == read_error(f"prompts.{ending}", text)


def test_a_first_row_alone_is_no_order() -> None:
    """A table without rows is a file without orders."""
    assert ["a.csv holds no orders"] == read_error("a.csv", "prompt,id\n")


def test_all_problems_of_a_file_are_told_together() -> None:
    """I mend a file once, and not once for each of its lines."""
    text = 'prompt,id\n,1\nA fox,2\nA fox,2\nA fox\nA fox,"3'
    assert [
        "a.csv:2: user_prompt is empty",
        "a.csv:4: id '2' is that of line 3, too",
        "a.csv:5: expected 2 cells, as in the first row, not 1",
        "a.csv:6: unexpected end of data",
    ] == read_error("a.csv", text)


@pytest.mark.parametrize(
    ("bad", "more"), [(10, []), (11, ["and 1 more"]), (10_000, ["and 9,990 more"])]
)
def test_only_the_first_ten_problems_are_told(bad: int, more: list[str]) -> None:
    """A file of the wrong kind does not flood the terminal."""
    told = [f"a.jsonl:{number}: expected a JSON object" for number in range(1, 11)]
    assert [*told, *more] == read_error("a.jsonl", "1\n" * bad)


def test_a_message_shows_no_more_than_can_be_read() -> None:
    """Neither the name of a file nor what is in it can flood or take over a terminal."""
    line = json.dumps({"prompt": "A fox", "aspect_ratio": "\x1b[2J" * 10_000})
    (message,) = read_error("a\n\x1b\udcff.jsonl", line)
    assert message.startswith("a\\u000a\\u001b\\udcff.jsonl:1: aspect_ratio=")
    assert message.isprintable()
    assert 2100 > len(message)


def test_where_an_order_comes_from_can_be_written_down() -> None:
    """The name of a file that is no text is noted in characters that every store takes."""
    (found,) = read_orders("a\udcff.txt", b"A fox")
    assert "a\\udcff.txt:1" == found.source


def test_many_orders_are_read_as_they_are() -> None:
    """A file may be long."""
    found = read_orders("a.csv", b"prompt\n" + b"A fox\n" * 10_000)
    assert (10_000, "a.csv:10001") == (len(found), found[-1].source)


def test_the_prompts_of_the_demonstration_are_orders() -> None:
    """What comes with the package can be given to a batch."""
    path = Path(__file__).parents[2] / "luma_async" / "cli" / "prompts.txt"
    assert 36 == len(read_orders(path.name, path.read_bytes()))


PIECES = st.sampled_from(
    [
        *(
            b"prompt",
            b"user_prompt",
            b"id",
            b"expand_prompt",
            b"extends",
            b"A fox",
            b"1:1",
            b"true",
        ),
        *(b",", b"\t", b'"', b'""', b"\n", b"\r", b"\r\n", b"{", b"}", b":", b"[", b"]", b"null"),
        *(b'{"prompt": "A fox"', b', "id": ', b"\\ud800", b"\0", b"\xff", b"\xef\xbb\xbf", b"\x85"),
        *(b"\xc2\x85", b"\xe2\x80\xa8", b"9" * 5000, b"[" * 2000, b" "),
    ]
)


@given(
    ending=st.sampled_from(ENDINGS),
    data=st.binary(max_size=200) | st.lists(PIECES, max_size=30).map(b"".join),
)
def test_any_bytes_are_orders_or_refused(ending: str, data: bytes) -> None:
    """Whatever I name by mistake, I get what can be paid for, or a message that names it."""
    name = f"prompts.{ending}"
    found: list[NewOrder] = []
    message = ""
    try:
        found = read_orders(name, data)
    except ConfigurationError as error:
        message = str(error)
    assert bool(found) != message.startswith(name)
    for one in found:
        check_order(one.order)
    keys = [one.order_id for one in found if one.order_id is not None]
    assert len(set(keys)) == len(keys)
    assert len({one.source for one in found}) == len(found)


def test_a_json_file_is_not_taken_for_prompts() -> None:
    """A list of orders would otherwise be paid for line by line, brackets and all."""
    with pytest.raises(ConfigurationError, match=r"orders\.json:1: .*\.jsonl"):
        read_orders("orders.json", b'[{"prompt": "A fox"}]')
