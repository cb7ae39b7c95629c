"""The commands for single videos, against a service."""

from pathlib import Path

import pytest

from luma_async.emulator import Emulator, Fault
from tests.cli.running import complaint, give, objects, run

Captured = pytest.CaptureFixture[str]


def ids(service: Emulator) -> list[str]:
    """Name what was ordered, in order."""
    return [bill.id for bill in service.ledger]


def test_create_prints_the_id_and_nothing_else(service: Emulator, capsys: Captured) -> None:
    """A script takes the id from stdout as it is."""
    assert 0 == run("create", "A red fox", "--aspect-ratio", "1:1", "--no-expand-prompt")
    assert (f"{ids(service)[0]}\n", "") == capsys.readouterr()
    (ordered,) = service.generations.values()
    assert ("A red fox", "1:1") == (ordered.prompt, ordered.aspect_ratio)


def test_a_prompt_is_read_from_stdin(service: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long prompt, or one that begins with a hyphen, comes through a pipe."""
    give(monkeypatch, "--- a fox\nin the snow\n")
    assert 0 == run("create", "-")
    assert "--- a fox\nin the snow" == service.ledger[0].prompt


def test_create_waits_and_downloads(service: Emulator, capsys: Captured, tmp_path: Path) -> None:
    """One command makes a video; its id is told at once, should the rest be interrupted."""
    file = tmp_path / "fox.mp4"
    assert 0 == run("create", "A fox", "--download", str(file))
    (name,) = ids(service)
    output, progress = capsys.readouterr()
    assert f"{name}  completed  {file}\n" == output
    assert f"the order was accepted as {name}; waiting for the video\n" == progress
    assert file.read_bytes()[4:8] == b"ftyp"


@pytest.mark.parametrize("option", [["--wait"], ["--timeout", "60"]])
def test_create_waits_when_asked_to(option: list[str], service: Emulator, capsys: Captured) -> None:
    """Without a download it tells the address."""
    assert 0 == run("create", "A fox", *option)
    assert f"{ids(service)[0]}  completed  {service.cdn_url}" in capsys.readouterr().out


def test_json_holds_what_the_service_said(
    service: Emulator, capsys: Captured, tmp_path: Path
) -> None:
    """A program finds the service's own names, and the file."""
    assert 0 == run("create", "A fox ü", "--json")
    assert 0 == run("create", "A fox", "--download", f"{tmp_path}/v/", "--json")
    ordered, done = objects(capsys.readouterr().out)
    first, second = ids(service)
    assert (first, "pending", "A fox ü") == (ordered["id"], ordered["state"], ordered["prompt"])
    assert f"{tmp_path}/v/{second}.mp4" == done["file"]
    assert {"url", "width", "height", "thumbnail", "download_url"} == set(done["video"])


def test_what_one_command_prints_the_next_one_reads(
    service: Emulator, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A pipe from create to wait works, and one from list to download, with JSON and without."""
    run("create", "A fox", "--json")
    run("create", "Another fox", "--json")
    give(monkeypatch, capsys.readouterr().out)
    assert 0 == run("wait", "-", "--json", "--download", str(tmp_path / "videos"))
    assert {"completed"} == {one["state"] for one in objects(capsys.readouterr().out)}
    run("list")
    give(monkeypatch, capsys.readouterr().out)
    assert 0 == run("download", "-", "--to", str(tmp_path / "again"))
    for folder in ("videos", "again"):
        assert {f"{one}.mp4" for one in ids(service)} == {
            path.name for path in (tmp_path / folder).iterdir()
        }


def test_extend_continues_a_video(
    service: Emulator, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The continuation has an id of its own."""
    service.place("parent", "A fox")
    assert 0 == run("extend", "parent", "It looks up")
    give(monkeypatch, '{"id": "parent"}')
    assert 0 == run("extend", "-", "It looks down")
    assert ids(service) == capsys.readouterr().out.split()
    assert "/luma-ai/generations/parent/extend" == service.requests[1].path


def test_extend_takes_one_id(
    service: Emulator, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two videos have no one continuation."""
    give(monkeypatch, "a\nb\n")
    assert 2 == run("extend", "-", "It looks up")
    assert "expected one id on stdin, not 2" == complaint(capsys.readouterr().err)[0]
    assert () == service.requests


def test_get_prints_states_in_the_order_asked(service: Emulator, capsys: Captured) -> None:
    """A finished one shows its address, a failed one the reason, any other its prompt."""
    service.place("done", "A fox")
    service.place("lost", "A fox", [(0, "failed")])
    service.place("open", "A fox", [(0, "dreaming")])
    assert 0 == run("get", "open", "lost", "done", "done")
    lines = [line.split("  ", 2) for line in capsys.readouterr().out.splitlines()]
    assert ["open", "dreaming", "A fox"] == lines[0]
    assert ["lost", "failed"] == lines[1][:2]
    assert ["done", "completed"] == lines[2][:2]
    assert lines[2][2].startswith("http://")
    assert 3 == len(lines)


def test_get_names_what_the_service_does_not_know(service: Emulator, capsys: Captured) -> None:
    """The others are printed all the same."""
    service.place("done", "A fox")
    assert 1 == run("get", "unknown", "done", "--json")
    output, error = capsys.readouterr()
    assert ["done"] == [one["id"] for one in objects(output)]
    what, hint = complaint(error)
    assert "does not know generation unknown" in what
    assert "luma-async list" in hint


def test_wait_says_which_failed(service: Emulator, capsys: Captured) -> None:
    """Those that were completed are printed, and the exit code says that not all were."""
    service.place("done", "A fox")
    service.place("lost", "A fox", [(0, "failed")])
    assert 1 == run("wait", "done", "lost")
    output, error = capsys.readouterr()
    assert {"done", "lost"} == {line.split()[0] for line in output.splitlines()}
    assert "generation lost failed" in complaint(error)[0]


def test_wait_says_what_the_service_does_not_know(service: Emulator, capsys: Captured) -> None:
    """An id that is never found is no reason to keep the others back."""
    service.place("done", "A fox")
    assert 1 == run("wait", "nobody", "done")
    output, error = capsys.readouterr()
    assert output.startswith("done  completed")
    assert "nobody" in complaint(error)[0]


def test_a_wait_that_takes_too_long_says_how_to_go_on(
    service: Emulator, capsys: Captured, tmp_path: Path
) -> None:
    """The hint is the command to copy, with the place for the videos."""
    service.place("open", "A fox", [(0, "dreaming")])
    folder = f"{tmp_path}/my videos/"
    assert 1 == run("wait", "open", "--timeout", "0.05", "--download", folder)
    expected = f"resume with `luma-async wait open --download '{folder}'`"
    assert expected == complaint(capsys.readouterr().err)[1]


def test_a_video_that_cannot_be_fetched_is_told_with_how_to_fetch_it(
    service: Emulator, capsys: Captured, tmp_path: Path
) -> None:
    """It is paid, so the generation is printed as well."""
    service.place("done", "A fox")
    service.inject(Fault(route="video", status=500, times=None))
    assert 1 == run("wait", "done", "--download", str(tmp_path / "fox.mp4"))
    output, error = capsys.readouterr()
    assert output.startswith("done  completed  http://")
    assert f"luma-async download done --to {tmp_path}/fox.mp4" in complaint(error)[1]


def test_download_stores_each_video_once(
    service: Emulator, capsys: Captured, tmp_path: Path
) -> None:
    """Given again, it leaves alone what is there, unless told otherwise."""
    service.place("a", "A fox")
    file = f"{tmp_path}/a.mp4"
    for arguments in ([], [], ["--overwrite", "--json"]):
        assert 0 == run("download", "a", "--to", str(tmp_path), *arguments)
    first, second, third = capsys.readouterr().out.splitlines()
    assert file == first == second
    assert [{"id": "a", "file": file}] == objects(third)
    assert 2 == sum(request.host == "cdn" for request in service.requests)


def test_download_replaces_no_file_unasked(
    service: Emulator, capsys: Captured, tmp_path: Path
) -> None:
    """A name that is taken may hold anything."""
    service.place("a", "A fox")
    file = tmp_path / "fox.mp4"
    file.write_text("precious")
    assert 2 == run("download", "a", "--to", str(file))
    assert f"{file} already exists" == complaint(capsys.readouterr().err)[0]
    assert "precious" == file.read_text()
    assert 0 == run("download", "a", "--to", str(file), "--overwrite")
    assert file.read_bytes()[4:8] == b"ftyp"


def test_download_goes_on_to_the_next_video(
    service: Emulator, capsys: Captured, tmp_path: Path
) -> None:
    """One that is not known does not keep the others back."""
    service.place("a", "A fox")
    assert 1 == run("download", "unknown", "a", "--to", str(tmp_path))
    output, error = capsys.readouterr()
    assert f"{tmp_path}/a.mp4\n" == output
    assert "unknown" in complaint(error)[0]


def test_list_prints_ids_and_prompts(service: Emulator, capsys: Captured) -> None:
    """Prompts are the service's to say, and cannot take over a terminal or hold markup."""
    assert 0 == run("list")
    assert ("", "the account has no generations\n") == capsys.readouterr()
    prompt = "[red]A fox[/red] :fox: \x1b[2J\x7f\n"
    service.place("a", prompt)
    assert 0 == run("list")
    assert "a  [red]A fox[/red] :fox: \\u001b[2J\\u007f\\u000a\n" == capsys.readouterr().out
    assert 0 == run("list", "--json")
    output = capsys.readouterr().out
    assert output.removesuffix("\n").isprintable()
    assert [{"id": "a", "prompt": prompt}] == objects(output)


def test_upload_prints_the_address_to_order_with(service: Emulator, capsys: Captured) -> None:
    """A script hands it to --image-url as it is."""
    assert 0 == run("upload", "https://a.example/fox.png")
    (address,) = capsys.readouterr().out.split()
    assert address.startswith("http://")
    assert 0 == run("upload", "https://a.example/fox.png", "--json")
    (image,) = objects(capsys.readouterr().out)
    assert {"id", "presigned_url", "public_url"} == set(image)
