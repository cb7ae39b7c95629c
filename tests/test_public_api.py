"""What the package offers to those who import it."""

import inspect
import json
import re
import subprocess
import sys
from types import FunctionType

import pytest

import luma_async
from luma_async import LumaClient, batch, emulator, errors, models, settings

METHODS = {
    "open": "",
    "create": "user_prompt aspect_ratio expand_prompt image_url image_end_url",
    "submit": "order recorder",
    "reconcile": "error settle",
    "account": "",
    "get": "id",
    "get_many": "ids",
    "extend": "generation_or_id user_prompt aspect_ratio expand_prompt image_url image_end_url",
    "list": "",
    "upload_image": "url",
    "wait_until_done": "generation_or_id timeout",
    "as_completed": "generations_or_ids timeout",
    "watch": "generation_or_id",
    "generate": "user_prompt timeout aspect_ratio expand_prompt image_url image_end_url",
    "generate_many": "orders max_in_flight",
    "download": "generation_or_id path overwrite",
    "unclaimed": "",
    "statistics": "",
    "close": "",
}


@pytest.mark.parametrize("name", METHODS)
def test_the_methods_and_their_arguments_are_a_contract(name: str) -> None:
    """A name that a user has written once goes on working."""
    _self, *parameters = inspect.signature(getattr(LumaClient, name)).parameters
    assert METHODS[name].split() == parameters


def test_the_policy_of_a_client_can_be_read() -> None:
    """As an attribute, at any time."""
    assert isinstance(inspect.getattr_static(LumaClient, "polling"), property)


def test_the_client_takes_the_promised_options() -> None:
    """All options but the key are given by name."""
    parameters = inspect.signature(LumaClient).parameters.values()
    assert [
        "api_key",
        "base_url",
        "limits",
        "polling",
        "retries",
        "timeouts",
        "budget",
        "session",
    ] == [parameter.name for parameter in parameters]
    keyword_only = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    assert [p.name for p in parameters][1:] == keyword_only


def test_all_is_sorted_and_complete() -> None:
    """What is public is exported at the top, and stands in order."""
    for module in (luma_async, batch, emulator):
        assert sorted(module.__all__) == module.__all__
    public = {
        name
        for module in (errors, models, settings)
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and name[0] != "_"
    }
    assert set() == public - set(luma_async.__all__)


PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (luma_async, batch, emulator)
    for name in module.__all__
}
CODE = [
    name for name, value in PUBLIC.items() if inspect.isclass(value) or inspect.isfunction(value)
]
DOCUMENTED = (FunctionType, classmethod, staticmethod, property)
OPTIONS = [
    *(name for name in CODE if PUBLIC[name].__module__ == settings.__name__),
    "luma_async.LumaClient",
    "luma_async.Order",
    "luma_async.batch.BatchOptions",
    "luma_async.emulator.Emulator",
    "luma_async.emulator.Fault",
]


@pytest.mark.parametrize("name", CODE)
def test_everything_public_is_documented(name: str) -> None:
    """Whoever hovers over a name in an editor learns what it is for."""
    value = PUBLIC[name]
    assert value.__doc__
    for member, attribute in vars(value).items():
        if member[0] != "_" and isinstance(attribute, DOCUMENTED):
            assert inspect.getdoc(attribute), member


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_explained(name: str) -> None:
    """Whoever hovers over a class that has options learns what each of them does."""
    value = PUBLIC[name]
    text = inspect.getdoc(value) or ""
    explained = set(re.findall(r"(?:^ +|`)(\w+)(?:`|:)", text, re.MULTILINE))
    assert set() == set(inspect.signature(value).parameters) - explained


def test_importing_the_package_loads_no_server_and_no_command_line() -> None:
    """A service that imports the client does not pay for the emulator or the commands."""
    program = "import json, sys, luma_async; print(json.dumps(sorted(sys.modules)))"
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    ).stdout
    unwanted = {"aiohttp.web", "luma_async.emulator", "luma_async.cli", "rich", "cyclopts"}
    assert set() == unwanted & set(json.loads(output))
