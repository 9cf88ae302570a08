"""The help, the Home and the contacts of several services, and of hundreds."""

from pathlib import Path

import pytest

from tests.conftest import Walk
from tests.services import write_many_services, write_services


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """Four services."""
    return write_services(tmp_path)


async def declare_three(walk: Walk) -> None:
    for said in ("sev2 search: empty", "sev1 checkout: carts hang", "sev1 the site is down"):
        await walk.say("oncall", f"/incident declare {said}")
    await walk.say("oncall", "/incident declare sev3 search: slow")


LISTED = [
    "Open incidents (4)",
    "Checkout",
    ":red_circle: SEV-1 · INC-2 · checkout: carts hang",
    "No service yet",
    ":red_circle: SEV-1 · INC-3 · the site is down",
    "Search",
    ":large_orange_circle: SEV-2 · INC-1 · search: empty",
    ":large_yellow_circle: SEV-3 · INC-4 · search: slow",
]
SERVICES = [
    "Services (4)",
    "•  Checkout: Carts Stuck",
    "•  Pay API: no playbook",
    "•  Pay Web: no playbook",
    "•  Search: Index Broken · No Results",
    "More of one: `/incident help` with its name.",
]


def listed(lines: list[str]) -> list[str]:
    """What is listed: without the commands and without the second line of each incident."""
    began = lines.index(next(line for line in lines if line.startswith("Open incidents")))
    return [line for line in lines[began:] if line and not line.startswith(("Declared ", "As of"))]


async def test_the_help_lists_by_service(walk: Walk) -> None:
    await declare_three(walk)

    await walk.say("lead", "/incident help")

    assert listed(list(walk.private_post("lead").lines)) == [*LISTED, *SERVICES]


async def test_the_home_lists_by_service(walk: Walk) -> None:
    await declare_three(walk)
    await walk.slack.open_home("lead")
    await walk.bot.drain()

    shown = listed([line for text in home_texts(walk) for line in walk.read(text).splitlines()])

    assert shown[: shown.index("What you can type")] == [*LISTED, *SERVICES]


def home_texts(walk: Walk) -> list[str]:
    """The paragraphs of the App Home."""
    home = walk.slack.home("lead")
    assert home is not None
    return [block["text"]["text"] for block in home["blocks"] if "text" in block]


async def test_the_help_of_one_service(walk: Walk) -> None:
    await declare_three(walk)

    await walk.say("lead", "/incident help search")

    lines = list(walk.private_post("lead").lines)
    assert lines[:3] == [
        "Search (`search`): `/incident declare sev1 search: what is wrong`",
        "•  SEV-1 Index Broken: The index is stale",
        "•  SEV-1 No Results: Results are empty",
    ]
    assert listed(lines) == [
        "Open incidents (2)",
        ":large_orange_circle: SEV-2 · INC-1 · search: empty",
        ":large_yellow_circle: SEV-3 · INC-4 · search: slow",
    ]


@pytest.mark.parametrize("said", ["help", "contacts"])
async def test_an_unknown_service_is_told(walk: Walk, said: str) -> None:
    await walk.say("lead", f"/incident {said} chekout")
    await walk.say("lead", f"/incident {said} nothing of that name")

    assert walk.answers("lead", "general") == [
        "“chekout” is no service. Did you mean `checkout`? Nothing was done.",
        "“nothing of that name” is no service. Nothing was done.",
    ]


async def test_the_contacts_of_one_service(walk: Walk) -> None:
    await walk.say("lead", "/incident contacts search")

    assert walk.private_post("lead").heading == "Contacts of Search"


class TestMany:
    """With two hundred services."""

    @pytest.fixture
    def team(self, tmp_path: Path) -> Path:
        return write_many_services(tmp_path, 200)

    async def test_all_fits(self, walk: Walk) -> None:
        for number in range(22):
            await walk.say("oncall", f"/incident declare sev1 shop-{number}: carts hang")
        await walk.say("lead", "/incident help")
        await walk.slack.open_home("lead")
        await walk.bot.drain()

        lines = walk.private_post("lead").lines
        assert "Open incidents (22), the 20 most severe of them" in lines
        assert "Services (204)" in lines
        assert "Shop 199" in walk.private_post("lead").text
        assert "Shop 199" in "\n".join(home_texts(walk))

    async def test_contacts_ask_which(self, walk: Walk) -> None:
        await walk.say("lead", "/incident contacts")

        assert walk.answer("lead") == (
            "There are 204 services. Say which one: `/incident contacts checkout`."
        )
