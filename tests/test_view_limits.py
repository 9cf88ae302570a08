"""Texts and blocks within Slack's limits, and the words that templates make of values."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bot.model import Cell, Chart, Series
from bot.views import blocks, text

AT = datetime(2026, 11, 24, 10, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "limit", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("ab cd", 4, "ab…"),
        ("a &amp; b", 9, "a &amp; b"),
        ("a &amp; bcd", 10, "a &amp; b…"),
        ("a &amp; bc", 8, "a &amp;…"),
        ("a &amp; bc", 7, "a…"),
        ("see <https://x.example|here> now", 30, "see <https://x.example|here>…"),
        ("see <https://x.example|here> now", 28, "see…"),
        ("<@U123> x", 8, "<@U123>…"),
        ("a < b > c", 6, "a…"),
    ],
)
def test_mrkdwn_is_cut_whole(words: str, limit: int, expected: str) -> None:
    assert blocks.truncate_mrkdwn(words, limit) == expected


@pytest.mark.parametrize(
    ("words", "limit", "expected"),
    [
        ("", 5, [""]),
        ("a\nb", 3, ["a\nb"]),
        ("aaa\nbbb\nccc", 8, ["aaa\nbbb", "ccc"]),
        ("aaa bbb ccc", 8, ["aaa bbb", "ccc"]),
        ("a\nbbbbbbbb", 6, ["a\nbbbb", "bbbb"]),
        ("aaaaaaaaaa", 4, ["aaaa", "aaaa", "aa"]),
        ("aaa\n\n\nbbb", 5, ["aaa", "bbb"]),
        ("aa &lt;&lt;", 8, ["aa &lt;", "&lt;"]),
    ],
)
def test_mrkdwn_is_split(words: str, limit: int, expected: list[str]) -> None:
    assert blocks.split_mrkdwn(words, limit) == expected


def test_a_long_text_is_sections() -> None:
    made = blocks.sections("x" * 3000 + "\n" + "y")
    assert [len(block["text"]["text"]) for block in made] == [3000, 1]
    assert {block["type"] for block in made} == {"section"}


@pytest.mark.parametrize(
    ("block", "length"),
    [
        (blocks.header("x" * 200)["text"], 150),
        (blocks.section("x" * 4000)["text"], 3000),
        (blocks.fields("x" * 3000)["fields"][0], 2000),
        (blocks.context("x" * 4000)["elements"][0], 3000),
        (blocks.button("x" * 100, "a")["text"], 75),
        (blocks.link_button("x" * 100, "a", "https://x.example")["text"], 75),
        (blocks.option("x" * 100, "a")["text"], 75),
        (blocks.preformatted("x" * 3000)["elements"][0]["elements"][0], 2900),
        (blocks.confirm_dialog("x" * 200, "", "")["title"], 100),
        (blocks.confirm_dialog("", "x" * 400, "")["text"], 300),
        (blocks.confirm_dialog("", "", "x" * 100)["confirm"], 30),
        (blocks.modal("a", "x" * 100, [], submit="", metadata="")["title"], 24),
        (blocks.modal("a", "", [], submit="x" * 100, metadata="")["submit"], 24),
        (blocks.text_input(placeholder="x" * 200)["placeholder"], 150),
        (blocks.multi_select("x" * 200, [])["placeholder"], 75),
    ],
)
def test_long_words_are_cut(block: dict[str, Any], length: int) -> None:
    assert block["text"] == "x" * (length - 1) + "…"


def test_ten_texts_at_most() -> None:
    texts = [str(number) for number in range(12)]
    assert len(blocks.fields(*texts)["fields"]) == 10
    assert len(blocks.context(*texts)["elements"]) == 10


def test_nothing_is_a_space() -> None:
    [part] = blocks.preformatted("")["elements"]
    assert part["elements"] == [{"type": "text", "text": " "}]
    assert blocks.table("", [""], [[""]])["rows"] == [[{"type": "raw_text", "text": " "}]] * 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", None), ("go", "go"), (7, "7"), (0, "0")],
)
def test_what_a_button_sends(value: object, expected: str | None) -> None:
    assert blocks.button("Go", "go", value).get("value") == expected


def test_button_has_only_given_fields() -> None:
    confirm = blocks.confirm_dialog("Sure?", "Really", "Yes")
    plain, danger = blocks.button("Go", "a"), blocks.button("Go", "a", style="danger")

    assert set(plain) == {"type", "text", "action_id"}
    assert danger["style"] == "danger"
    assert blocks.button("Go", "a", confirm=confirm)["confirm"] == confirm


@pytest.mark.parametrize(("initial", "expected"), [("b", "b"), ("missing", None), (None, None)])
def test_a_menu_begins_with(initial: str | None, expected: str | None) -> None:
    options = [blocks.option("A", "a"), blocks.option("B", "b")]
    menu = blocks.select("pick", "Pick one", options, initial)
    assert menu.get("initial_option", {"value": None})["value"] == expected


@pytest.mark.parametrize(
    ("least", "most", "initial", "expected"),
    [
        (None, None, None, {}),
        (0, 9, 3, {"min_value": "0", "max_value": "9", "initial_value": "3"}),
        (0, None, 0, {"min_value": "0", "initial_value": "0"}),
    ],
)
def test_a_number_has_its_bounds(
    least: int | None, most: int | None, initial: int | None, expected: dict[str, str]
) -> None:
    made = blocks.number_input(min_value=least, max_value=most, initial=initial)
    assert made == {"type": "number_input", "is_decimal_allowed": False, **expected}


def test_a_text_input_fits_itself() -> None:
    made = blocks.text_input(initial="x" * 20, max_length=8, multiline=True)
    assert made == {
        "type": "plain_text_input",
        "multiline": True,
        "max_length": 8,
        "initial_value": "x" * 8,
    }


def test_an_input_has_a_hint() -> None:
    element = blocks.text_input()
    assert "hint" not in blocks.input_block("name", "Name", element)
    made = blocks.input_block("name", "Name", element, hint="As people say it", optional=True)
    assert (made["hint"]["text"], made["optional"]) == ("As people say it", True)
    assert (made["block_id"], made["element"]["action_id"]) == ("name", "name")


def raw(words: str) -> dict[str, Any]:
    return {"type": "raw_text", "text": words}


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("a", raw("a")),
        ("x" * 201, raw("x" * 199 + "…")),
        (Cell(text="a"), raw("a")),
        (Cell(text="3 MB", number=3.5), {"type": "raw_number", "value": 3.5, "text": "3 MB"}),
        (Cell(text="0", number=0), {"type": "raw_number", "value": 0.0, "text": "0"}),
        (Cell(text="1" * 101, number=1), raw("1" * 101)),
        (
            Cell(text="a", link="https://x.example", number=1),
            {
                "type": "rich_text",
                "elements": [
                    {
                        "type": "rich_text_section",
                        "elements": [{"type": "link", "url": "https://x.example", "text": "a"}],
                    }
                ],
            },
        ),
        (
            Cell(text="10:05", at=AT),
            {
                "type": "rich_text",
                "elements": [
                    {
                        "type": "rich_text_section",
                        "elements": [
                            {"type": "text", "text": "10:05 · "},
                            {
                                "type": "date",
                                "timestamp": 1795514707,
                                "format": "{date_short_pretty} {time_secs}",
                                "fallback": "10:05",
                            },
                        ],
                    }
                ],
            },
        ),
    ],
)
def test_what_a_cell_shows(cell: Cell | str, expected: dict[str, Any]) -> None:
    assert blocks.table("", ["a"], [[cell]])["rows"][1] == [expected]


@pytest.mark.parametrize(
    ("rows", "width", "length", "shown"),
    [
        (98, 1, 1, 99),
        (99, 1, 1, 100),
        (200, 1, 1, 100),
        (60, 1, 200, 45),
        (60, 2, 100, 45),
        (1, 25, 1, 2),
    ],
)
def test_how_many_rows_fit(rows: int, width: int, length: int, shown: int) -> None:
    table = blocks.table("", ["c"] * width, [["x" * length] * width] * rows)
    assert len(table["rows"]) == shown
    assert {len(row) for row in table["rows"]} == {min(width, 20)}


def test_an_older_slack_sees_words() -> None:
    table = blocks.table("", ["n", "w"], [[Cell(text="3", number=3), "a"]])
    assert blocks.plain_table(table) == {
        "type": "table",
        "rows": [[raw("n"), raw("w")], [raw("3"), raw("a")]],
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a", "b"), ["a", "b"]),
        (("a", "a"), ["a", "a 2"]),
        (("", ""), ["–", " 2"]),
        (("x" * 21, "x" * 22), ["x" * 19 + "…", "x" * 16 + "… 2"]),
    ],
)
def test_labels_stay_apart(names: tuple[str, ...], expected: list[str]) -> None:
    made = blocks.chart(
        Chart(
            title="t" * 60,
            kind="bar",
            categories=names,
            series=(Series(name="s", values=(1,) * len(names)),),
        )
    )
    assert made["chart"]["axis_config"]["categories"] == expected
    assert made["title"] == "t" * 49 + "…"


@pytest.mark.parametrize(
    ("address", "title", "expected"),
    [
        ("https://x.example/a", "Page", "<https://x.example/a|Page>"),
        ("https://x.example", "a|b <c>", "<https://x.example|a/b &lt;c&gt;>"),
        ("javascript:alert(1)", "a <b>", "a &lt;b&gt;"),
        ("https://x.example/a b", "Page", "Page"),
        ("https://x.example|evil", "Page", "Page"),
        ("https://x.example>", "Page", "Page"),
        ("", "Page", "Page"),
    ],
)
def test_only_web_addresses_are_links(address: str, title: str, expected: str) -> None:
    assert text.link(address, title) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("<@U1> <@W2> <@U1>", ("U1", "W2")),
        ("<@u1> <#C1> &lt;@U1&gt;", ()),
        ("<@U1|ana>", ()),
    ],
)
def test_who_is_mentioned_once(words: str, expected: tuple[str, ...]) -> None:
    assert text.mentioned_users(words) == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Ask <@U1> in <#C1>", "Ask <@U1> in <#C1>"),
        ("<!channel> <b>", "&lt;!channel&gt; &lt;b&gt;"),
        ("<@U1|x>", "&lt;@U1|x&gt;"),
        ("a & b", "a &amp; b"),
        ("<https://x.example|y>", "&lt;https://x.example|y&gt;"),
    ],
)
def test_one_person_is_told(sentence: str, expected: str) -> None:
    assert text.to_person(sentence) == expected


def test_times_in_utc() -> None:
    berlin = datetime(2026, 11, 24, 11, 5, 7, tzinfo=timezone(timedelta(hours=1)))
    assert text.utc_time(berlin) == "2026-11-24 10:05:07"
    assert text.utc_clock(berlin) == "10:05"
    assert text.local_time(AT) == (
        "<!date^1795514707^{date_short_pretty} {time}|2026-11-24 10:05 UTC>"
    )
    assert text.relative_time(AT) == "<!date^1795514707^{ago}|2026-11-24 10:05 UTC>"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ '<!here>' }}", "&lt;!here&gt;"),
        ("{{ 'U1' | person }}", "<@U1>"),
        ("{{ none | person }}", "the clock"),
        ("{{ 'C1' | channel }}", "<#C1>"),
        ("{{ 'One. Two.' | first_sentence }}", "One"),
        ("{{ ' a \n b ' | one_line }}", "a b"),
        ("{{ ('x' * 200) | one_line }}", "x" * 149 + "…"),
        ("{{ '\n a \n\n b \n c' | first_two_lines }}", "a · b"),
        ("is{{ '- a' | as_list }}", "is\n- a"),
        ("is {{ 'a' | as_list }}", "is a"),
        ("{{ 'a\n<b>' | quote }}", ">a\n>&lt;b&gt;"),
        ("{{ at | utc }}", "2026-11-24 10:05:07"),
        ("{{ span | duration }}", "90 min"),
        ("{{ 'a\nb' | list_item }}", "a\n  b"),
        ("{{ '# x' is comment }} {{ ' -- x' is comment }} {{ 'x' is comment }}", "True True False"),
    ],
)
def test_filters_of_templates(template: str, expected: str) -> None:
    assert text.fill(template, at=AT, span=timedelta(minutes=90)) == expected


def test_people_edit_without_escapes() -> None:
    assert text.fill_unescaped("{{ word }} & ", word="<b>") == "<b> &"
    assert text.fill("{{ word }} & ", word="<b>") == "&lt;b&gt; &"


@pytest.mark.parametrize(
    "template",
    [
        "{{ missing }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.mro() }}",
        "{% if %}",
        "{{ [].append(1) }}",
        "{{ 'a' + 1 }}",
        "{{ {}['x']['y'] }}",
    ],
)
def test_templates_fail_as_expected(template: str) -> None:
    with pytest.raises(text.TEMPLATE_ERRORS):
        text.fill(template)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("<@U1> and <@U2>", "@Ana and @U2"),
        ("a &lt; b &amp;&gt;", "a < b &>"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_a_file_has_names(words: str, expected: str) -> None:
    assert text.for_text_file(words, {"U1": "Ana"}) == expected
