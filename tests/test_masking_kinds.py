"""No secret of any kind is left, wherever it stands, and text that only looks alike stays."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.redaction import REDACTED, redact
from tests.masking_texts import INNOCENT, SECRETS

EVERY = [(kind, text, secret) for kind, texts in SECRETS.items() for text, secret in texts]
# A name of a secret at the end of a line has its value on the next one.
COMPLETE = [text for text in INNOCENT if text and not text.endswith((":", "-p", "|"))]
AROUND = st.lists(st.sampled_from(COMPLETE), max_size=4)
# The same examples each time: whoever looks for more sets another number of them, and a seed.
MANY = settings(deadline=None, database=None, derandomize=True)
NO_ESCAPES = st.characters(blacklist_categories=["C"])


@pytest.mark.parametrize("kind", SECRETS)
def test_every_kind_is_masked(kind: str) -> None:
    left = [text for text, secret in SECRETS[kind] if secret in redact(text)]
    unmarked = [text for text, _ in SECRETS[kind] if REDACTED not in redact(text)]
    unstable = [text for text, _ in SECRETS[kind] if redact(redact(text)) != redact(text)]
    assert (left, unmarked, unstable) == ([], [], [])


def test_innocent_text_is_left() -> None:
    assert [(text, redact(text)) for text in INNOCENT if redact(text) != text] == []


@settings(MANY, max_examples=150)
@given(st.sampled_from(EVERY), AROUND, AROUND, st.sampled_from([" ", "\n", "; ", " | "]))
def test_masked_among_other_text(
    secret: tuple[str, str, str], before: list[str], after: list[str], between: str
) -> None:
    _, text, hidden = secret
    assume(not any(hidden in part for part in [*before, *after]))
    border = "\n" if "\n" in text or text.startswith(("db:", "root:", "machine")) else between
    whole = border.join([*before, text, *after])
    assert hidden not in redact(whole)


@settings(MANY, max_examples=100)
@given(AROUND, st.text("abc XYZ 019 ().,-/_", max_size=30), st.sampled_from(["\n", "\n\n"]))
def test_text_without_any_is_unchanged(parts: list[str], words: str, between: str) -> None:
    whole = between.join([*parts, words])
    assert redact(whole) == whole


@settings(MANY, max_examples=100)
@given(
    st.sampled_from(["password=%s", 'password: "%s"', '{"password":"%s"}', "https://u:%s@h/x"]),
    st.text("abcXYZ0189!#%+_.~-", min_size=6, max_size=40).filter(lambda word: word[0].isalnum()),
    st.text(NO_ESCAPES, max_size=60),
    st.text(NO_ESCAPES, max_size=60),
)
def test_any_password_in_any_text(form: str, word: str, before: str, after: str) -> None:
    word = f"Q7{word}"
    assert word not in redact(f"{before} {form % word} {after}")


@pytest.mark.parametrize("text", ["password=hunter2hunter2", "postgres://app:hunter2@db/orders"])
def test_encoded_secrets_are_masked(text: str) -> None:
    for coded in (
        base64.b64encode(text.encode()).decode(),
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
        quote(text, safe=""),
    ):
        assert redact(f"x {coded} y") == "x [masked] y"


@settings(MANY, max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_masked_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
