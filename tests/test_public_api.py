"""What the package offers to those who import it, name by name.

The tables are a contract: what a user has written once goes on working. A change of one of them
is a change for users, and belongs in CHANGELOG.md.
"""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, get_args

import attrs
import pytest
from cyclopts import App

import luma_async
from luma_async import batch, emulator, errors, models, outcome, settings
from luma_async.cli.app import app

NAMES = {
    # What each module has in its `__all__`, in this order.
    "luma_async": (
        "APIError Account AspectRatio AuthenticationError BadRequestError Budget "
        "BudgetExceededError ClientStateError ConfigurationError ConnectError DisconnectedError "
        "DownloadError Durations Generation GenerationFailedError GenerationSummary KeyFilter "
        "Learned LedgerError Limits LumaClient LumaError NotFoundError Order OutOfCreditsError "
        "Outcome PermissionDeniedError PollPolicy RateLimitError Recorder RequestError "
        "RequestTimeoutError ResponseFormatError RetryPolicy ServerError Statistics "
        "SubmissionUnknownError Timeouts UploadedImage Video VideoExpiredError WaitErrorGroup "
        "WaitTimeoutError __version__"
    ),
    "luma_async.batch": (
        "AccountList Batch BatchOptions BatchOutcome BatchStatus HeldOrder Ledger "
        "LedgerTransaction NewOrder OnUnknown OrderState Record Run run_unit"
    ),
    "luma_async.emulator": (
        "Bill Emulator Fault KnownGeneration Moment VirtualTimeLoop WireRequest"
    ),
}

MODULES = {
    # Where else some of them are found, errors aside.
    "luma_async.models": (
        "AspectRatio Durations Generation GenerationSummary Order Statistics UploadedImage Video"
    ),
    "luma_async.outcome": "Outcome",
    "luma_async.settings": "Budget Learned Limits PollPolicy RetryPolicy Timeouts",
}

ERRORS = {
    # The bases of each error, all of which are in `luma_async.errors` as well.
    "APIError": "LumaError",
    "AuthenticationError": "APIError",
    "BadRequestError": "APIError",
    "BudgetExceededError": "LumaError",
    "ClientStateError": "LumaError RuntimeError",
    "ConfigurationError": "LumaError ValueError",
    "ConnectError": "RequestError ConnectionError",
    "DisconnectedError": "RequestError",
    "DownloadError": "LumaError",
    "GenerationFailedError": "LumaError",
    "LedgerError": "LumaError",
    "LumaError": "Exception",
    "NotFoundError": "APIError",
    "OutOfCreditsError": "APIError",
    "PermissionDeniedError": "APIError",
    "RateLimitError": "APIError",
    "RequestError": "LumaError",
    "RequestTimeoutError": "RequestError TimeoutError",
    "ResponseFormatError": "LumaError",
    "ServerError": "APIError",
    "SubmissionUnknownError": "LumaError",
    "VideoExpiredError": "DownloadError",
    "WaitErrorGroup": "LumaError ExceptionGroup",
    "WaitTimeoutError": "LumaError TimeoutError",
}

LITERALS = {
    # What each of these stands for.
    "AspectRatio": "1:1 16:9 9:16 4:3 3:4 21:9 9:21",
    "OnUnknown": "hold reconcile resubmit",
    "OrderState": (
        "planned submitting submitted completed downloading done rejected failed unknown"
    ),
}

FIELDS = {
    # The fields of each value, in this order.
    "Budget": "tokens per_create",
    "Durations": "seen median_seconds p90_seconds",
    "Generation": (
        "id state prompt created_at estimate_wait_seconds video failure_reason raw seconds_left"
    ),
    "GenerationSummary": "id prompt",
    "Learned": "unit_seconds create extend estimated",
    "Limits": "concurrent_requests requests_per_second ids_per_request",
    "Order": "user_prompt aspect_ratio expand_prompt image_url image_end_url extends",
    "Outcome": "order generation error",
    "PollPolicy": (
        "request_worth min_interval max_interval expected_seconds jitter missing_grace "
        "missing_answers video_grace learned"
    ),
    "RetryPolicy": "attempts first_delay max_delay deadline budget_ratio budget_floor",
    "Statistics": (
        "requests ids_asked waiting in_flight tokens_spent finished mean_delay_seconds "
        "ids_per_request median_seconds p90_seconds durations"
    ),
    "Timeouts": "connect free paid stall",
    "UploadedImage": "id presigned_url public_url",
    "Video": "url width height thumbnail download_url",
    "BatchOptions": (
        "on_unknown max_in_flight budget timeout list_delay look_interval outage_timeout"
    ),
    "BatchOutcome": "record error",
    "BatchStatus": "counts tokens budget to_pay",
    "HeldOrder": "record candidates",
    "NewOrder": "order source order_id",
    "Record": (
        "order_id number order source state attempts run tokens generation_id adopted reason "
        "sent_at unknown_at submitted_at completed_at done_at file size sha256"
    ),
    "Run": "number has_baseline",
    "Bill": "id route prompt parent tokens at",
    "Fault": (
        "route times skip ids prompt accept status headers body delay drop reset cut_at drip shape"
    ),
    "KnownGeneration": "id prompt aspect_ratio parent created_at state has_video failure_reason",
    "Moment": "seconds state video failure_reason",
    "WireRequest": "number route method path query ids authorization connection host status at",
}

PROPERTIES = {
    # What can be read of a value or a client beside.
    "Generation": "is_completed is_failed is_done",
    "LumaClient": "polling",
    "Order": "excerpt",
    "Video": "address",
    "BatchOptions": "price",
    "BatchStatus": "orders is_finished",
    "Record": "may_be_paid is_final",
    "Emulator": "base_url cdn_url ledger billed tokens_billed requests generations",
    "Fault": "needs_raw_answer",
    "Moment": "has_video is_last",
}

CALLS = {
    # The parameters of each call: those behind * are given by name, those before / by place.
    "APIError": "message * status request_id path retry_after",
    "Account.mark": "salt",
    "Budget": "* tokens per_create",
    "BudgetExceededError": "* budget committed needed",
    "ConnectError": "message * retryable",
    "Durations": "* seen median_seconds p90_seconds",
    "Generation": (
        "* id state prompt created_at estimate_wait_seconds video failure_reason raw seconds_left"
    ),
    "GenerationFailedError": "generation",
    "GenerationSummary": "* id prompt",
    "KeyFilter": "*keys",
    "KeyFilter.filter": "record",
    "KeyFilter.hide": "text",
    "Learned": "* unit_seconds create extend estimated",
    "Limits": "* concurrent_requests requests_per_second ids_per_request",
    "LumaClient": "api_key * base_url limits polling retries timeouts budget session",
    "LumaClient.open": "",
    "LumaClient.close": "",
    "LumaClient.create": "user_prompt * aspect_ratio expand_prompt image_url image_end_url",
    "LumaClient.submit": "order * recorder",
    "LumaClient.reconcile": "error * list_delay",
    "LumaClient.extend": (
        "generation_or_id user_prompt * aspect_ratio expand_prompt image_url image_end_url"
    ),
    "LumaClient.get": "id",
    "LumaClient.get_many": "ids",
    "LumaClient.list": "",
    "LumaClient.upload_image": "url",
    "LumaClient.wait_until_done": "generation_or_id * timeout",
    "LumaClient.as_completed": "generations_or_ids * timeout",
    "LumaClient.watch": "generation_or_id",
    "LumaClient.generate": (
        "user_prompt * timeout aspect_ratio expand_prompt image_url image_end_url"
    ),
    "LumaClient.generate_many": "orders * max_in_flight",
    "LumaClient.download": "generation_or_id path * overwrite",
    "LumaClient.unclaimed": "",
    "LumaClient.account": "",
    "LumaClient.statistics": "",
    "Order": "user_prompt * aspect_ratio expand_prompt image_url image_end_url extends",
    "Outcome": "* order generation error",
    "PollPolicy": (
        "* request_worth min_interval max_interval expected_seconds jitter missing_grace "
        "missing_answers video_grace learned"
    ),
    "PollPolicy.at_speed": "factor",
    "PollPolicy.to_json": "",
    "PollPolicy.from_json": "text",
    "Recorder.sending": "",
    "Recorder.sent": "result",
    "ResponseFormatError": "problems * status",
    "RetryPolicy": "* attempts first_delay max_delay deadline budget_ratio budget_floor",
    "Statistics": (
        "* requests ids_asked waiting in_flight tokens_spent finished mean_delay_seconds "
        "ids_per_request median_seconds p90_seconds durations"
    ),
    "SubmissionUnknownError": "* order sent_at reason status request_id",
    "Timeouts": "* connect free paid stall",
    "UploadedImage": "* id presigned_url public_url",
    "Video": "* url width height thumbnail download_url",
    "WaitErrorGroup": "message errors * completed",
    "WaitErrorGroup.derive": "errors /",
    "WaitTimeoutError": "* timeout pending finished",
    "Batch.open": (
        "folder luma * on_unknown max_in_flight budget timeout list_delay outage_timeout "
        "accept_new_key on_change"
    ),
    "Batch.add": "orders",
    "Batch.add_file": "path",
    "Batch.run": "",
    "Batch.stop": "",
    "Batch.records": "",
    "Batch.status": "",
    "Batch.review": "",
    "Batch.adopt": "order_id generation_id",
    "Batch.dismiss": "order_id",
    "Batch.retry": "order_ids",
    "BatchOptions": (
        "* on_unknown max_in_flight budget timeout list_delay look_interval outage_timeout"
    ),
    "BatchOptions.list_delay_left": "record now",
    "BatchOutcome": "record error",
    "BatchStatus": "* counts tokens budget to_pay",
    "LedgerTransaction.find": "order_id",
    "LedgerTransaction.holder": "generation_id",
    "LedgerTransaction.records": "",
    "LedgerTransaction.write": "record",
    "LedgerTransaction.spent": "",
    "LedgerTransaction.runs": "",
    "LedgerTransaction.write_run": "run",
    "LedgerTransaction.seen": "",
    "LedgerTransaction.see": "generation_ids run",
    "HeldOrder": "* record candidates",
    "Ledger.transact": "work * name",
    "AccountList": "luma",
    "AccountList.fetch": "",
    "NewOrder": "order source * order_id",
    "Record": (
        "* order_id number order source state attempts run tokens generation_id adopted reason "
        "sent_at unknown_at submitted_at completed_at done_at file size sha256"
    ),
    "Run": "* number has_baseline",
    "run_unit": "order_id ledger luma * folder options account_list changed",
    "Bill": "* id route prompt parent tokens at",
    "Emulator": (
        "* host port cdn_port api_key seed median_seconds sigma time_scale failure_rate estimates "
        "credits requests_per_second list_lag_seconds url_lifetime_seconds video_padding_bytes "
        "clock started_at"
    ),
    "Emulator.inject": "fault",
    "Emulator.clear_faults": "*faults",
    "Emulator.script": "key moments",
    "Emulator.place": "generation_id prompt moments",
    "Emulator.forget": "generation_id",
    "Emulator.applications": "",
    "Emulator.running_in_thread": "",
    "Fault": (
        "* route times skip ids prompt accept status headers body delay drop reset cut_at drip "
        "shape"
    ),
    "Fault.concerns": "request prompt",
    "Fault.answer": "request ordinary refuse",
    "KnownGeneration": "* id prompt aspect_ratio parent created_at state has_video failure_reason",
    "Moment": "seconds state video failure_reason",
    "VirtualTimeLoop": "",
    "VirtualTimeLoop.time": "",
    "VirtualTimeLoop.sock_connect": "sock address",
    "VirtualTimeLoop.create_server": "*args **options",
    "VirtualTimeLoop.create_unix_server": "*args **options",
    "VirtualTimeLoop.subprocess_exec": "*args **options",
    "VirtualTimeLoop.subprocess_shell": "*args **options",
    "VirtualTimeLoop.run_in_executor": "executor func *args",
    "VirtualTimeLoop.shutdown_default_executor": "timeout",
    "WireRequest": "* number route method path query ids authorization connection host status at",
}

COMMANDS = {
    # The arguments and options of each command.
    "create": (
        "PROMPT --aspect-ratio --expand-prompt --no-expand-prompt --image-url --image-end-url "
        "--wait --timeout --download --key-file --base-url --json"
    ),
    "extend": (
        "ID PROMPT --aspect-ratio --expand-prompt --no-expand-prompt --image-url --image-end-url "
        "--wait --timeout --download --key-file --base-url --json"
    ),
    "get": "IDS --key-file --base-url --json",
    "wait": "IDS --timeout --download --key-file --base-url --json",
    "upload": "URL --key-file --base-url --json",
    "download": "IDS --to --overwrite --key-file --base-url --json",
    "list": "--key-file --base-url --json",
    "batch run": (
        "FOLDER ORDERS --yes --budget --on-unknown --max-in-flight --timeout --list-delay "
        "--accept-new-key --key-file --base-url --json"
    ),
    "batch status": "FOLDER --json",
    "batch review": "FOLDER --adopt --dismiss --key-file --base-url --json",
    "batch retry": "FOLDER NUMBERS --may-pay-twice --key-file --base-url --json",
    "emulator": (
        "--host --port --cdn-port --seed --median-seconds --time-scale --failure-rate --estimates "
        "--json"
    ),
    "demo": "--prompts --count -n --folder --speed --seed --failure-rate --json",
    "completion": "SHELL",
}

OPTIONS = {
    # The classes whose arguments are explained one by one.
    "luma_async": "Budget Learned Limits LumaClient Order PollPolicy RetryPolicy Timeouts",
    "luma_async.batch": "BatchOptions",
    "luma_async.emulator": "Emulator Fault",
}

PUBLIC: dict[str, Any] = {
    name: getattr(module, name)
    for module in (luma_async, batch, emulator)
    for name in NAMES[module.__name__].split()
}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
CODE = [*CLASSES, *FUNCTIONS]
DOCUMENTED = (FunctionType, classmethod, staticmethod, property)
MADE_FOR_USERS = ("Account", "Batch")
"""What a client or `Batch.open` makes, and nobody else."""


STARS: dict[object, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


def written(call: Callable[..., object]) -> str:
    """Write the parameters of a call as the table does."""
    words: list[str] = []
    before = None
    for name, parameter in inspect.signature(call).parameters.items():
        if before is parameter.POSITIONAL_ONLY and parameter.kind is not before:
            words.append("/")
        if parameter.kind is parameter.KEYWORD_ONLY and before not in (
            parameter.KEYWORD_ONLY,
            parameter.VAR_POSITIONAL,
        ):
            words.append("*")
        words.append(STARS.get(parameter.kind, "") + name)
        before = parameter.kind
    if before is inspect.Parameter.POSITIONAL_ONLY:
        words.append("/")
    return " ".join(words).removeprefix("self").removeprefix("cls").lstrip()


def methods(name: str) -> Iterator[tuple[str, FunctionType]]:
    """Yield the public methods of a class."""
    for member, value in vars(PUBLIC[name]).items():
        function = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
        if member[0] != "_" and isinstance(function, FunctionType):
            yield f"{name}.{member}", function


def calls() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield all that a user may call."""
    yield from FUNCTIONS.items()
    for name, value in CLASSES.items():
        own = vars(value).get("__init__")
        if (
            own is not None
            and name not in MADE_FOR_USERS
            and not getattr(value, "_is_protocol", False)
        ):
            yield name, own
        yield from methods(name)


def commands(parent: App, *path: str) -> Iterator[tuple[str, App]]:
    """Yield the commands, those of a command included."""
    for name in parent:
        if name[0] != "-":
            command = parent[name]
            if command.default_command is None:
                yield from commands(command, *path, name)
            else:
                yield " ".join([*path, name]), command


@pytest.mark.parametrize("module", [luma_async, batch, emulator])
def test_modules_offer_these_names(module: Any) -> None:
    """In order, and no others."""
    assert NAMES[module.__name__].split() == module.__all__ == sorted(module.__all__)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        (errors, " ".join(ERRORS)),
        *((one, MODULES[one.__name__]) for one in (models, outcome, settings)),
    ],
)
def test_errors_values_and_options_have_modules_as_well(module: Any, names: str) -> None:
    """What they hold is the same as at the top, and there is no class that is not at the top."""
    for name in names.split():
        assert getattr(module, name) is getattr(luma_async, name)
    ours = {
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__.startswith("luma_async") and name[0] != "_"
    }
    assert ours <= set(CLASSES)


def test_errors_are_caught_by_these_bases() -> None:
    """A handler that a user has written goes on catching them."""
    kinds = {name: value for name, value in CLASSES.items() if issubclass(value, Exception)}
    assert {
        name: " ".join(base.__name__ for base in value.__bases__) for name, value in kinds.items()
    } == ERRORS


def test_words_have_these_values() -> None:
    """Programs compare with them."""
    for name, values in LITERALS.items():
        assert tuple(values.split()) == get_args(PUBLIC[name])


def test_values_have_these_fields() -> None:
    """In this order, in which some are given."""
    found = {
        name: " ".join(field.name for field in attrs.fields(value) if field.name[0] != "_")
        for name, value in CLASSES.items()
        if attrs.has(value)
    }
    assert {name: fields for name, fields in found.items() if fields} == FIELDS


def test_values_and_clients_have_these_properties() -> None:
    """They are read without a call."""
    found = {
        name: " ".join(
            member
            for member, attribute in vars(value).items()
            if isinstance(attribute, property) and member[0] != "_"
        )
        for name, value in CLASSES.items()
    }
    assert {name: members for name, members in found.items() if members} == PROPERTIES


def test_calls_take_these_parameters() -> None:
    """By these names, in these ways."""
    assert {name: written(call) for name, call in calls()} == CALLS


def test_commands_take_these_options() -> None:
    """Scripts use them."""
    found = {
        name: " ".join(
            option
            for argument in command.assemble_argument_collection(
                default_parameter=app.default_parameter
            )
            for option in argument.names
            if option != "*"
        )
        for name, command in commands(app)
    }
    assert found == COMMANDS


@pytest.mark.parametrize("name", CODE)
def test_everything_public_can_be_read(name: str) -> None:
    """Whoever asks a notebook or a debugger for the source gets it."""
    assert f" {name}" in inspect.getsource(PUBLIC[name])
    for method, function in methods(name) if name in CLASSES else ():
        assert f"def {method.rpartition('.')[2]}" in inspect.getsource(function)


@pytest.mark.parametrize("name", CODE)
def test_everything_public_is_documented(name: str) -> None:
    """Whoever hovers over a name in an editor learns what it is for."""
    value = PUBLIC[name]
    assert value.__doc__
    for member, attribute in vars(value).items():
        if member[0] != "_" and isinstance(attribute, DOCUMENTED):
            assert inspect.getdoc(attribute), member


@pytest.mark.parametrize("name", " ".join(OPTIONS.values()).split())
def test_every_option_is_explained(name: str) -> None:
    """Whoever hovers over a class that has options learns what each of them does."""
    value = PUBLIC[name]
    text = inspect.getdoc(value) or ""
    explained = set(re.findall(r"(?:^ +|`)(\w+)(?:`|:)", text, re.MULTILINE))
    assert set() == set(inspect.signature(value).parameters) - explained


def test_names_are_listed_before_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Editors and notebooks complete them."""
    monkeypatch.delattr(luma_async, "Video")
    assert set(NAMES["luma_async"].split()) <= set(dir(luma_async))


def test_all_names_can_be_imported_at_once() -> None:
    """As in a notebook that begins with them."""
    program = "from luma_async import *; print(*globals())"
    output = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert set(NAMES["luma_async"].split()) <= set(output.stdout.decode().split())


@pytest.mark.parametrize("module", ["client", "errors", "logs", "models", "outcome", "settings"])
def test_modules_are_attributes_of_the_package(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has imported the package can write `luma_async.errors.LumaError`."""
    monkeypatch.delattr(luma_async, module, raising=False)
    assert sys.modules[f"luma_async.{module}"] is getattr(luma_async, module)


def test_an_unknown_name_is_no_attribute() -> None:
    """It fails as with any other module."""
    with pytest.raises(AttributeError, match="module 'luma_async' has no attribute 'Client'"):
        _ = luma_async.Client  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'Client' from 'luma_async'"):
        exec("from luma_async import Client")
