"""Ids, prompts and places, as they are written on the command line and into pipes."""

from pathlib import Path

import pytest

from luma_async import ConfigurationError
from luma_async.cli.arguments import parse_ids
from luma_async.cli.options import Place


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        pytest.param("a\n\n  b  \n", ["a", "b"], id="one a line"),
        pytest.param("a  completed  a.mp4\nb  failed", ["a", "b"], id="what a command printed"),
        pytest.param('{"id": "a", "state": "pending"}\n', ["a"], id="an object"),
        pytest.param('{"id": "a"}\n{"id": "b"}\n', ["a", "b"], id="JSON Lines"),
        pytest.param('{\n  "id": "a"\n}\n', ["a"], id="an object over several lines"),
        pytest.param('[{"id": "a"}, "b"]', ["a", "b"], id="a list"),
        pytest.param('"a"\n"b"', ["a", "b"], id="quoted, as jq prints them"),
        pytest.param(" \n", [], id="nothing"),
    ],
)
def test_ids_are_read_from_whatever_a_pipe_brings(text: str, ids: list[str]) -> None:
    """The output of one command is the input of the next, with or without --json."""
    assert ids == parse_ids(text)


@pytest.mark.parametrize(
    "text", ['{"id": "a"', '{"id": 5}', '{"state": "a"}', "[1]", "a/b", "[" * 100_000]
)
def test_what_holds_no_id_is_refused(text: str) -> None:
    """A wrong pipe is noticed before anything is asked for."""
    with pytest.raises(ConfigurationError):
        parse_ids(text)


def test_a_video_goes_into_a_folder_under_its_id(tmp_path: Path) -> None:
    """A folder exists, or is written with a slash at its end and is made."""
    assert tmp_path / "a.mp4" == Place(str(tmp_path)).file("a")
    new = Place(f"{tmp_path}/new/folder/")
    new.check()
    assert (tmp_path / "new" / "folder").is_dir()
    assert tmp_path / "new" / "folder" / "a.mp4" == new.file("a")


def test_a_video_goes_into_the_file_that_is_named(tmp_path: Path) -> None:
    """Any other name is that of the file, and for many videos that of a folder."""
    place = Place(str(tmp_path / "fox.mp4"))
    place.check()
    assert tmp_path / "fox.mp4" == place.file("a")
    assert tmp_path / "fox.mp4" / "a.mp4" == place.for_many().file("a")


def test_a_place_that_takes_no_video_is_refused(tmp_path: Path) -> None:
    """It is noticed before the video is paid."""
    (tmp_path / "fox.mp4").touch()
    with pytest.raises(ConfigurationError, match="already exists"):
        Place(str(tmp_path / "fox.mp4")).check()
    Place(str(tmp_path / "fox.mp4")).check(replace=True)
    with pytest.raises(ConfigurationError, match="there is no folder"):
        Place(str(tmp_path / "missing" / "fox.mp4")).check()
