"""What must not be read in a chat is taken out, the rest is left, and time grows no faster."""

import time

import pytest

from bot.actions import cell_format
from bot.redaction import REDACTED, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("password=hunter2", "hunter2"),
        ('{"password": "hunter 2"}', "hunter 2"),
        ("DB_PASSWORD: hunter2", "hunter2"),
        ("UPDATE users SET password = 'hunter2 is cut", "hunter2"),
        ('{"secret": "hunter2 is cut', "hunter2"),
        ("api_key=abc123def", "abc123def"),
        ("postgres://orders:hunter2@db:5432/orders", "hunter2"),
        ("redis://:hunter2@tickettoken-redis:6379", "hunter2"),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        (f"token is {JWT}", "dozjgNryP4J3"),
        ("sk_live_51H8abcdefgh", "51H8abcdefgh"),
        ("whsec_abcdefgh1234", "abcdefgh1234"),
        ("xoxb-123456789012-abcdef", "123456789012"),
        ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7EXAMPLE"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijkl"),
        ("card 4242 4242 4242 4242 declined", "4242 4242"),
        ("card 5555555555554444", "5555555555554444"),
        ("card 378282246310005", "378282246310005"),
        ("mail to bob.smith+x@example.co.uk now", "bob.smith"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ"),
    ],
)
def test_secrets_are_masked(text: str, secret: str) -> None:
    assert secret not in redact(text)
    assert REDACTED in redact(text)


@pytest.mark.parametrize(
    "name",
    [
        *("password", "passwd", "passwort", "passphrase", "pwd", "secret", "token", "api_key"),
        *("apikey", "access-key", "private_key", "signingKey", "authorization", "credentials"),
        *("cookie", "cvc", "cvv", "PGPASSWORD", "pa\u017f\u017fword", "to\u212aen"),
    ],
)
def test_every_name_of_a_secret(name: str) -> None:
    # The last two are other letters, which an expression takes for s and k all the same.
    for text in (f"{name}=hunter2", f"{name.upper()}: hunter2", f'{{"{name}":"hunter2"}}'):
        assert "hunter2" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "GET /orders/ord_0a1b2c3d 200 in 14 ms",
        "order 4242424242424241 shipped",
        "connected to postgres tickettoken-postgres:5432/orders (pool 20)",
        "the token bucket is empty",
        "2026-11-24T16:58:03.123456Z started",
        "redis://tickettoken-redis:6379",
        "<!channel> <@U123> & more",
    ],
)
def test_the_rest_is_left(text: str) -> None:
    assert redact(text) == text


def test_masking_twice_changes_nothing() -> None:
    once = redact("password=hunter2 postgres://u:p@h/d bob@example.com 4242424242424242")
    assert redact(once) == once


def test_cells_below_named_columns() -> None:
    columns = ["id", "password", "stripe_key", "cache_key", "sid"]
    key = "Vq83kLmZt0PxWe7YbN2s"
    shown = cell_format.cells(columns, ["a", "x", key, key, 42424242])
    assert [cell.text for cell in shown] == ["a", REDACTED, REDACTED, key, "42424242"]


UNITS = [
    *("a", "a@", "1", "1 ", "4111 ", "eyJ", "a.", '"\\', "/", "a%", "\u200b", "<a ", "- a\n"),
    *("password", "password=", "password: ", "password=' ", "<password>", "secret_", "token "),
    *("://", "//a:b@", "://a@", "&sig=", "bearer ", "authorization: ", "--password ", "mysql -p"),
    *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----\n", "data:\n"),
    *("value=", "name: password value: ", "kind: Secret\n---\n", "error: token: ", "echo a | "),
    *(
        "| password |\n|---|\n",
        "STRIPE_KEY=a1b2c3d4",
        "insert into a (password) values (",
        "auth=('a', ",
    ),
]


@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_length_only(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        begun = time.thread_time()
        redact(text)
        return time.thread_time() - begun

    small = min(seconds(6_000) for _ in range(2))
    limit = max(small, 0.004) * 10
    # The first one that is quick enough shows it: a busy machine makes some slow.
    assert any(seconds(24_000) < limit for _ in range(4))
