"""Logs and commands with secrets: the whole text that is left, for one kind of each."""

import pytest

from bot.actions.kubernetes import log_lines
from bot.redaction import redact

HEAD = "eyJhbGciOiJIUzI1NiJ9"
SIGNED = f"{HEAD}.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AKIAIOSFODNN7EXAMPLE", "[masked]"),
        ("ASIAIOSFODNN7EXAMPLE!", "[masked]!"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer [masked]"),
        ("authorization: basic YWRtaW46aHVudGVy", "authorization: basic [masked]"),
        ("curl -H 'X: bearer  abcdef'", "curl -H 'X: bearer  [masked]'"),
        ('{"password": "hunter2"}', '{"password": "[masked]"}'),
        ('{\\"password\\": \\"hunter2\\"}', '{\\"password\\": \\"[masked]\\"}'),
        ("{'password': 'hunter 2'}", "{'password': '[masked]'}"),
        ("password => hunter2", "password => [masked]"),
        ("dbPassword=hunter2, next", "dbPassword=[masked], next"),
        ("password_hash: abc; x", "password_hash: [masked]; x"),
        ("redis://:hunter2@r:6379", "redis://:[masked]@r:6379"),
        ("amqp://me:hunter2@mq/v", "amqp://me:[masked]@mq/v"),
        ("https://abcdef0123456789abcdef@github.com/x", "https://[masked]/x"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[masked]"),
        ("github_pat_0123456789abcdefgh", "[masked]"),
        ("glpat-0123456789abcdefgh", "[masked]"),
        ("sk-0123456789abcdefghijkl", "[masked]"),
        ("ya29.0123456789abcdefghijkl", "[masked]"),
        ("npm_0123456789abcdefghijklmnopqrstuv", "[masked]"),
        ("AIza0123456789abcdefghijklmnopqrstuvw", "[masked]"),
        ("rk_test_0123456789", "[masked]"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[masked]"),
        ("xapp-1-A0123456789", "[masked]"),
        (SIGNED, "[masked]"),
        (f"?jwt={SIGNED}&x=1", "?jwt=[masked]&x=1"),
        (f"{HEAD}.eyJzdWIiOiIxIn0", "[masked]"),
        ("card 4111 1111 1111 1111 ok", "card [masked] ok"),
        ("card 4111-1111-1111-1111", "card [masked]"),
        ("4111 1111 1111 1111 1227 123", "[masked] 1227 123"),
        ("12,4111111111111111,5", "12,[masked],5"),
        ("6759649826438453", "[masked]"),
        ("cvv=123", "cvv=[masked]"),
        ("jörg@example.com", "[masked]"),
        ("from a@b.example, c@d.example", "from [masked], [masked]"),
        ("<a+b@mail.example.co.uk>", "<[masked]>"),
        ("a@b@c.example", "a@[masked]"),
    ],
)
def test_what_is_left(text: str, expected: str) -> None:
    assert redact(text) == expected
    # Else a search of the logs would find it.
    assert log_lines.may_have_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        "AKIA123",
        "ghp_short",
        "xoxb-1",
        f"{HEAD} alone",
        "bearer of news",
        "basic idea",
        "the password is wrong",
        "sprocket=3",
        "1234 5678 9012 3456",
        "4111111111111112",
        "v1.4111111111111111",
        "@here @channel",
        "a @ b",
        "user@",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "",
        "\n\n",
        "[masked] password=[masked]",
    ],
)
def test_ordinary_words_are_left(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
def test_every_private_key(kind: str) -> None:
    key = f"-----BEGIN {kind}PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END {kind}PRIVATE KEY-----"
    assert redact(f"before\n{key}\nafter") == "before\n[masked]\nafter"


def test_a_cut_key_is_masked() -> None:
    assert redact("x -----BEGIN PRIVATE KEY-----\nMIIEow\nIBAA") == "x [masked]"


def test_two_keys_keep_their_between() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----"
    assert redact(f"{key} and {key}") == "[masked] and [masked]"


SOURCE = log_lines.Source(pod="order-1", container="main", label="order-1")


def lines(*raw: str) -> list[log_lines.Line]:
    block = "".join(f"{line}\n" for line in raw).encode()
    return log_lines.LineReader(SOURCE).lines(block, log_lines.each)


def texts(*raw: str) -> list[str]:
    return [line.text for line in log_lines.masked(lines(*raw))]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (["2026-11-24T10:00:00Z a", "b"], ["a", "b"]),
        (
            [
                "2026-11-24T10:00:00Z -----BEGIN RSA PRIVATE KEY-----",
                "2026-11-24T10:00:01Z MIIEow",
                "2026-11-24T10:00:02Z -----END RSA PRIVATE KEY-----",
                "2026-11-24T10:00:03Z after",
            ],
            ["[masked]", "[masked]", "[masked]", "after"],
        ),
        (
            ["-----BEGIN PRIVATE KEY----- MII -----END PRIVATE KEY-----", "after"],
            ["[masked]", "after"],
        ),
        (
            ["-----BEGIN CERTIFICATE-----", "MIIB", "-----END CERTIFICATE-----"],
            ["-----BEGIN CERTIFICATE-----", "MIIB", "-----END CERTIFICATE-----"],
        ),
        (["2026-11-24T10:00:00Z password=hunter2"], ["password=[masked]"]),
        (["password:", "  hunter2", "", "next"], ["password:", "  [masked]", "", "next"]),
        (
            ["kind: Secret", "data:", "  a: aHVu", "  b: dGVy"],
            ["kind: Secret", "data:", "  a: [masked]", "  b: [masked]"],
        ),
    ],
)
def test_a_log_is_masked(raw: list[str], expected: list[str]) -> None:
    assert texts(*raw) == expected


@pytest.mark.parametrize(
    ("raw", "at", "text"),
    [
        ("2026-11-24T10:00:00.123456789Z a b", "2026-11-24T10:00:00.123456789", "a b"),
        ("2026-11-24T10:00:00Z a", "2026-11-24T10:00:00", "a"),
        ("2026-11-24T11:00:00+01:00 a", "2026-11-24T10:00:00", "a"),
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00", ""),
        ("2026-11-24T10:00:00 a", "", "2026-11-24T10:00:00 a"),
        ("2026-11-24 a", "", "2026-11-24 a"),
        ("2026-99-24T10:00:00Z a", "", "a"),
        ("Traceback (most recent)", "", "Traceback (most recent)"),
        ("", "", ""),
    ],
)
def test_the_time_is_split_off(raw: str, at: str, text: str) -> None:
    [line] = lines(raw)
    assert (line.at, line.text) == (at, text)


def test_a_line_keeps_the_time_before() -> None:
    reader = log_lines.LineReader(SOURCE)
    blocks = (b"a\n2026-11-24T10:00:00Z Error\n  at x()\n  at y()\n", b"  at z()\n")
    read = [line for block in blocks for line in reader.lines(block, log_lines.each)]
    assert [line.at for line in read] == ["", *["2026-11-24T10:00:00"] * 4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("level=error msg=x", True),
        ("level=ERROR msg=x", True),
        ('{"level":"error"}', True),
        ('{"level": "fatal"}', True),
        ('{"level":50,"msg":"x"}', True),
        ('{"level":60}', True),
        ('{"level":30,"msg":"an ERROR"}', False),
        ("level=info TypeError", False),
        ("level: warn", False),
        ("level = crit", True),
        ("ERROR no order", True),
        ("[FATAL] x", True),
        ("Traceback (most recent call last)", True),
        ("java.lang.NullPointerError: x", True),
        ("TypeError: x is undefined", True),
        ("panic: runtime error: nil map", True),
        ("error in lower case", False),
        ("TERROR", False),
        ("ERRORS: 0", False),
        ("200 OK", False),
        ("", False),
    ],
)
def test_which_lines_are_errors(text: str, expected: bool) -> None:
    assert log_lines.is_error(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  plain  ", "plain"),
        ('{"msg": "no order", "x": 1}', "no order"),
        ('{"level":"error","message":"a \\"b\\" c"}', 'a \\"b\\" c'),
        ('{"msg": ""}', '{"msg": ""}'),
        ("x" * 201, "x" * 199 + "…"),
        ('{"msg":"' + "y" * 300 + '"}', "y" * 199 + "…"),
    ],
)
def test_a_line_is_summed_up(text: str, expected: str) -> None:
    assert log_lines.summary(text) == expected


@pytest.mark.parametrize(
    ("limit", "added", "expected"),
    [
        (5, ["ab", "cd"], ["ab", "cd"]),
        (5, ["ab", "cd", "ef"], ["cd", "ef"]),
        (4, ["ab", "cd"], ["ab", "cd"]),
        (3, ["ab", "cd"], ["cd"]),
        (3, ["longer"], ["longer"]),
        (3, ["longer", "x"], ["x"]),
        (3, ["x", "longer"], ["longer"]),
        (0, ["", ""], ["", ""]),
        (9, [], []),
    ],
)
def test_the_newest_lines_stay(limit: int, added: list[str], expected: list[str]) -> None:
    tail = log_lines.TailBuffer(limit)
    for text in added:
        tail.add(log_lines.Line("", SOURCE, text))
    assert [line.text for line in tail.lines()] == expected
