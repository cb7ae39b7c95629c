"""The API key is shown nowhere."""

import copy
import pickle
import traceback

import pytest
from hypothesis import given, strategies as st

from luma_async._api.sansio.api_key import KEY_VARIABLES, Secret, key_from_environment
from luma_async.errors import ConfigurationError

KEY = "sk-CANARY-0123456789abcdef"


def fail_with(key: Secret) -> None:
    """Fail in a frame that holds the key."""
    raise RuntimeError(f"no luck with {key}")


def test_the_key_is_revealed_to_the_one_who_asks() -> None:
    """The header needs the key itself."""
    assert KEY == Secret(KEY).reveal()


def test_the_key_is_in_no_text_of_the_secret() -> None:
    """Whoever prints, logs or formats a secret sees stars."""
    secret = Secret(KEY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", "%s %r" % (secret, secret)]  # noqa: UP031
    assert [] == [text for text in shown if "CANARY" in text]
    assert "Secret(***)" == repr(secret)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_key_cannot_be_pickled(protocol: int) -> None:
    """A key in a task queue or a cache would be a key on a disk."""
    with pytest.raises(TypeError, match="not to be stored") as caught:
        pickle.dumps(Secret(KEY), protocol)
    assert "CANARY" not in str(caught.value)


def test_the_key_cannot_be_copied() -> None:
    """There is one holder of the key."""
    with pytest.raises(TypeError, match="not to be stored"):
        copy.deepcopy(Secret(KEY))


def test_the_key_has_no_dictionary_to_look_into() -> None:
    """Tools that dump the attributes of objects find none."""
    assert not hasattr(Secret(KEY), "__dict__")


def test_a_traceback_with_local_variables_hides_the_key() -> None:
    """Error trackers record the variables of every frame."""
    secret = Secret(KEY)
    with pytest.raises(RuntimeError) as caught:
        fail_with(secret)
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(frames.format())
    assert "Secret(***)" in text
    assert KEY not in text


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("CANARY\r", id="U06 CR"),
        pytest.param("CANARY\nX: 1", id="U06 LF"),
        pytest.param("CANARY\x00", id="U06 NUL"),
        pytest.param("CANARY-\u20ac", id="U07 not ASCII"),
        pytest.param("CANARY\ud800", id="U07 half a character"),
        pytest.param(" CANARY", id="U07 leading space"),
        pytest.param("CANARY ", id="U07 trailing space"),
        pytest.param("CANARY\t", id="U07 tab"),
        pytest.param("CANARY\x7f", id="U07 delete"),
        pytest.param("Bearer CANARY", id="U07 Bearer"),
        pytest.param('"CANARY"', id="U07 quotes"),
        pytest.param("'CANARY'", id="U07 single quotes"),
        pytest.param("'CANARY", id="U07 an opening quote"),
        pytest.param('CANARY"', id="U07 a closing quote"),
        pytest.param("", id="U07 empty"),
        pytest.param(b"CANARY", id="U07 bytes"),
        pytest.param(["CANARY"], id="U07 a list"),
        pytest.param(None, id="U07 nothing"),
    ],
)
def test_what_can_be_no_key_is_refused_without_being_shown(key: object) -> None:
    """A mistyped key is named as a mistake and not repeated."""
    with pytest.raises(ConfigurationError, match="the API key") as caught:
        Secret(key)
    assert "CANARY" not in str(caught.value)


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_any_text_is_a_key_of_visible_ascii_or_is_refused(text: str) -> None:
    """Whatever passes fits into a header as it is."""
    try:
        key = Secret(text).reveal()
    except ConfigurationError:
        return
    assert key.isascii()
    assert key.isprintable()
    assert "" != key
    assert " " not in key


def test_the_key_is_hidden_in_what_others_say() -> None:
    """A service that repeats the key in an error does not get it into our messages."""
    secret = Secret(KEY)
    assert "[key] and [key]" == secret.redact(f"{KEY} and {KEY}")
    assert b'{"message": "no such key: [key]"}' == secret.redact_bytes(
        b'{"message": "no such key: ' + KEY.encode() + b'"}'
    )


@pytest.mark.parametrize("first", range(len(KEY_VARIABLES)))
def test_the_key_is_found_where_the_providers_tools_look(first: int) -> None:
    """The names are tried in the order promised; an empty one counts as not set."""
    environment = {name: f"key-{name}" for name in KEY_VARIABLES[first:]}
    environment |= dict.fromkeys(KEY_VARIABLES[:first], "")
    assert f"key-{KEY_VARIABLES[first]}" == key_from_environment(environment)


def test_a_missing_key_says_which_variable_to_set() -> None:
    """The first thing that goes wrong says what to do."""
    with pytest.raises(ConfigurationError, match=r"set AIML_API_KEY, or give LumaClient\(api_key"):
        key_from_environment({})


def test_the_environment_of_the_program_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be passed where the variable is set."""
    monkeypatch.setenv("AIML_API_KEY", KEY)
    assert KEY == key_from_environment()


def test_a_word_too_short_to_be_a_secret_is_left_in_answers() -> None:
    """With an emulator any key will do; one named `id` must not tear an answer apart."""
    assert '{"id": "x"}' == Secret("id").redact('{"id": "x"}')
    assert b'{"id": "x"}' == Secret("id").redact_bytes(b'{"id": "x"}')
