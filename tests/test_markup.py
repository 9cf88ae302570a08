"""What Slack's marks become in plain text, and what a wrong form says."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from commands import form_errors, markup

NAMES = {"U1": "Ana", "W2": "Ben"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("<@U1>", ("U1",)),
        ("<@U1|ana> and <@W2>", ("U1", "W2")),
        ("<@U1> <@U1>", ("U1", "U1")),
        ("<@B1> <@u1> @U1 <#U1> <U1>", ()),
        ("&lt;@U1&gt;", ()),
        ("<@U1|<@W2>>", ("W2",)),
    ],
)
def test_who_is_mentioned(text: str, expected: tuple[str, ...]) -> None:
    assert markup.mentioned_ids(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words", "plain words"),
        ("<@U1> broke it", "@Ana broke it"),
        ("<@U1|ana> broke it", "@ana broke it"),
        ("<@U9> broke it", "@U9 broke it"),
        ("<@W2>", "@Ben"),
        ("<#C1|general>", "#general"),
        ("<#C1>", "#C1"),
        ("<#C1|>", "#C1"),
        ("<!here>", "@here"),
        ("<!channel>", "@channel"),
        ("<!here|here>", "@here"),
        ("<!subteam^S1|@sre>", "@sre"),
        ("<!subteam^S1>", "@S1"),
        ("<!date^1700000000^{time}|10:13 PM>", "10:13 PM"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<mailto:a@b.example>", "a@b.example"),
        ("<https://x.example>", "https://x.example"),
        ("<https://x.example|x.example>", "x.example"),
        ("<https://x.example/|x.example>", "x.example"),
        ("<https://x.example|https://x.example/>", "https://x.example/"),
        ("<https://x.example|the page>", "the page (https://x.example)"),
        ("<http://x.example|>", "http://x.example"),
        ("<ftp://x.example>", "<ftp://x.example>"),
        ("<tel:123|123>", "<tel:123|123>"),
        (
            "<https://x.example|one> <https://y.example|two>",
            "one (https://x.example) two (https://y.example)",
        ),
    ],
)
def test_marks_become_plain(text: str, expected: str) -> None:
    assert markup.plain_command_text(text, NAMES) == expected
    assert markup.plain_text(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "command", "message"),
    [
        ("a &lt; b", "a &lt; b", "a < b"),
        ("a &gt; b &amp; c", "a &gt; b &amp; c", "a > b & c"),
        ("&amp;lt;", "&amp;lt;", "&lt;"),
        ("&lt;@U1&gt;", "&lt;@U1&gt;", "<@U1>"),
        ("&lt;!channel&gt;", "&lt;!channel&gt;", "<!channel>"),
        (
            "<https://x.example?a=1&amp;b=2>",
            "https://x.example?a=1&amp;b=2",
            "https://x.example?a=1&b=2",
        ),
    ],
)
def test_only_messages_are_escaped(text: str, command: str, message: str) -> None:
    assert markup.plain_command_text(text) == command
    assert markup.plain_text(text) == message


def test_without_names_ids_are_shown() -> None:
    assert markup.plain_text("<@U1> and <@W2|ben>") == "@U1 and @ben"


class Answers(BaseModel):
    """A form with a field of each kind."""

    model_config = ConfigDict(extra="forbid")

    title: form_errors.NonBlankText = "x"
    reason: Annotated[str, Field(max_length=5)] = "x"
    number: Annotated[int, Field(ge=2, le=9)] = 3
    share: float = 0.5
    code: Annotated[str, Field(pattern="^[a-z]+$")] = "x"
    pick: Literal["a", "b"] = "a"
    several: Annotated[list[str], Field(min_length=1, max_length=2)] = ["x"]
    sure: bool = True


class Required(BaseModel):
    """A form with one field, which must be there."""

    title: str


GONE = "This version of the bot no longer has this field."


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("title", "  ", "Write something here; spaces alone are not enough."),
        ("title", 3, "Enter text."),
        ("reason", "123456", "Write at most 5 characters."),
        ("number", "x", "Enter a whole number."),
        ("number", "2.5", "Enter a whole number."),
        ("number", 2.5, "Enter a whole number."),
        ("number", 1, "Enter at least 2."),
        ("number", 10, "Enter at most 9."),
        ("number", "9" * 5000, "This number is too large."),
        ("share", "half", "Enter a number."),
        ("code", "A1", "This does not have the right form."),
        ("pick", "c", "Enter 'a' or 'b'."),
        ("several", [], "Enter at least 1 in the list."),
        ("several", ["a", "b", "c"], "Enter at most 2 in the list."),
        ("several", "a", "Enter a list."),
        ("sure", "perhaps", "Enter true or false."),
        ("former", "x", GONE),
    ],
)
def test_a_sentence_for_each_mistake(name: str, value: object, sentence: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        Answers.model_validate({name: value})

    assert form_errors.field_errors(wrong.value) == {name: sentence}


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValidationError) as wrong:
        Required.model_validate({})

    assert form_errors.field_errors(wrong.value) == {"title": "Fill this in."}


def test_every_wrong_field_is_named() -> None:
    with pytest.raises(ValidationError) as wrong:
        Answers.model_validate({"title": "", "number": 0, "pick": "z"})

    assert form_errors.field_errors(wrong.value) == {
        "title": "Write something here; spaces alone are not enough.",
        "number": "Enter at least 2.",
        "pick": "Enter 'a' or 'b'.",
    }


def test_a_whole_form_blames_its_reason() -> None:
    with pytest.raises(ValidationError) as wrong:
        Answers.model_validate("no form")

    assert list(form_errors.field_errors(wrong.value)) == ["reason"]
