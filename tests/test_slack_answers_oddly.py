"""What stands before Slack answers in its place: a refusal like every other, no surprise."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot import slack

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.fixture
def answer() -> web.Response:
    """What is answered, to be changed by a test."""
    return web.Response()


@pytest.fixture
async def url(answer: web.Response) -> AsyncIterator[str]:
    async def say(request: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_post("/api/{method}", say)
    async with TestServer(app) as server:
        yield f"{server.make_url('/api/')}"


@pytest.mark.parametrize(
    ("status", "kind", "body", "headers"),
    [
        (200, "text/plain", "welcome to the hotel's network", {}),
        (200, "text/html", "<html>log in</html>", {}),
        (200, "application/json", "{", {}),
        (200, "application/json", "[1]", {}),
        (200, "application/json", "null", {}),
        (502, "text/html", "<html>bad gateway</html>", {}),
        (503, "text/plain", "no healthy upstream", {}),
        (503, "text/plain", "over capacity", {"Retry-After": DATE}),
        (429, "application/json", '{"ok": false, "error": "ratelimited"}', {"Retry-After": "soon"}),
        (429, "text/plain", "", {"Retry-After": "nan"}),
    ],
)
async def test_it_is_a_refusal_that_passes(
    url: str, answer: web.Response, status: int, kind: str, body: str, headers: dict[str, str]
) -> None:
    answer.set_status(status)
    answer.content_type, answer.text = kind, body
    answer.headers.update(headers)
    client = slack.client.open_client("xoxb-1", url)
    try:
        with pytest.raises(slack.client.SlackError) as refused:
            await slack.client.call(client.api_test())
    finally:
        assert client.session is not None
        await client.session.close()

    assert refused.value.is_transient
    assert refused.value.retry_after is None
