"""When the words of a declaration decide on the playbook, and when people are asked."""

import pytest

from bot import rules
from bot.actions.registry import ACTIONS
from bot.model import ServiceName, Severity
from bot.playbooks import loader
from bot.rules import words
from tests.conftest import ROOT, SHIPPED
from tests.test_rules import BOOK

ORDERS = loader.load(SHIPPED.parent, ACTIONS)
SERVICE = ServiceName("order-service", "Order Service")
OUTAGE, SLOW = "complete-service-outage", "slow-response-times"

# What was said besides the service, with which severity, and what is taken; - where people choose.
# The shipped playbooks have one scenario for SEV-1 and SEV-3, several for SEV-2, none for SEV-4.
TABLE = f"""
Orders are failing | sev1 | {OUTAGE}
orders fail | sev1 | {OUTAGE}
No order goes through | sev1 | {OUTAGE}
nothing is being processed | sev1 | {OUTAGE}
Health checks fail | sev1 | {OUTAGE}
5xx everywhere | sev1 | {OUTAGE}
500 errors on all endpoints | sev1 | {OUTAGE}
it answers 503 | sev1 | {OUTAGE}
total outage | sev1 | {OUTAGE}
it is down | sev1 | {OUTAGE}
everything is dead | sev1 | {OUTAGE}
the API is unreachable | sev1 | {OUTAGE}
Checkout is down | sev1 | {OUTAGE}
- | sev1 | {OUTAGE}
help!!! | sev1 | {OUTAGE}
it is broken | sev1 | {OUTAGE}
Something is wrong with it | sev1 | {OUTAGE}
It burns | sev1 | {OUTAGE}
Payments page blank | sev1 | -
Payments are failing | sev1 | -
Refunds are not processed | sev1 | -
Seat maps are gone | sev1 | -
Disputes are piling up | sev1 | -
Somebody deleted the bucket | sev1 | -
Slow | sev1 | -
Payments page blank | sev3 | -
Orders are failing | sev3 | -
It is slow | sev3 | {SLOW}
Orders are slow | sev3 | {SLOW}
Checkout is slow | sev3 | {SLOW}
it times out | sev3 | {SLOW}
Requests time out | sev3 | {SLOW}
timeouts since noon | sev3 | {SLOW}
P95 is at 4 s | sev3 | {SLOW}
latency doubled | sev3 | {SLOW}
sluggish responses | sev3 | {SLOW}
- | sev3 | {SLOW}
The logo is upside down | sev3 | -
Payment webhooks hang | sev3 | -
Payments are failing | sev2 | -
Refunds do not process | sev2 | -
- | sev2 | -
Chargebacks | sev2 | -
Orders are failing | sev4 | -
- | sev4 | -
"""
CASES = [tuple(part.strip() for part in line.split("|")) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("said", "severity", "taken"), CASES)
def test_the_words_decide_or_a_person(said: str, severity: str, taken: str) -> None:
    said = "" if said == "-" else said

    _, scenario = rules.fitting.choose(ORDERS, SERVICE, Severity(severity), said)

    assert (scenario.id if scenario else "-") == taken


def test_an_unknown_service_has_no_playbook() -> None:
    book, scenario = rules.fitting.choose(
        ORDERS, rules.fitting.NO_SERVICE, Severity.SEV1, "Orders are failing"
    )

    assert (book.service, book.scenarios, scenario) == ("", (), None)
    assert set(book.severities) == set(Severity)


def test_a_service_without_playbook_has_its_name() -> None:
    search = ServiceName("search", "Search")

    book, scenario = rules.fitting.choose(ORDERS, search, Severity.SEV1, "It is down")

    assert (book.service, book.title, scenario) == ("search", "Search", None)


def test_another_services_playbook_is_not_taken() -> None:
    other = BOOK.model_copy(update={"service": "search"})

    book, _ = rules.fitting.choose([other, *ORDERS], SERVICE, Severity.SEV1, "Orders are failing")

    assert book.service == "order-service"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("processing", "processed"),
        ("stopping the queue", "stop of queues"),
        ("crashes", "crashing"),
        ("queries", "query"),
        ("it times out", "Timeouts"),
        ("503s", "5xx"),
        ("Payment's page", "payments pages"),
        ("latency", "slow"),
        ("offline", "outage"),
    ],
)
def test_endings_make_no_difference(one: str, other: str) -> None:
    assert words.significant(one) == words.significant(other) != frozenset()


def test_the_page_tells_the_truth() -> None:
    page = (ROOT / "docs" / "declaring.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines()]

    told = [row for row in rows if row[1:2] and row[1] in list(Severity)]

    assert len(told) == 8
    for said, severity, playbook in told:
        _, scenario = rules.fitting.choose(ORDERS, SERVICE, Severity(severity), said)
        assert (said, scenario.id if scenario else "asked") == (said, playbook)
