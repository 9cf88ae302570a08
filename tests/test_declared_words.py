"""What people type at three in the morning: how bad it is, which service, what is wrong."""

import time

import pytest

from bot.model import ServiceName, Severity
from bot.rules import declarations
from bot.rules.service_names import read
from tests.conftest import ROOT

SERVICES = (
    ServiceName("checkout", "Checkout"),
    ServiceName("email", "E-Mail"),
    ServiceName("it", "IT Tools"),
    ServiceName("order-service", "Order Service"),
    ServiceName("payments-api", "Payments API"),
    ServiceName("payments-web", "Payments Web"),
    ServiceName("search", "Search"),
    ServiceName("search-indexer", "Search Indexer"),
    ServiceName("zahlung", "Überweisungen"),
)
SURE, ASKED, UNSAID = "is", "may be", "is not said"

# What is typed; the severity as it was written; whether the service is sure; which it is, or what
# is proposed; what is said besides it.
TABLE = """
sev1 checkout: it times out | sev1 | is checkout | it times out
SEV-1 Checkout: it times out | SEV-1 | is checkout | it times out
1 checkout: it times out | 1 | is checkout | it times out
sev 2 CHECKOUT it times out | sev 2 | is checkout | it times out
sev1: checkout: it times out | sev1 | is checkout | it times out
checkout sev1 it times out | sev1 | is checkout | it times out
checkout: sev1 it times out | sev1 | is checkout | it times out
checkout sev1: it times out | sev1 | is checkout | it times out
checkout, sev-1, it times out | sev-1 | is checkout | it times out
checkout: it times out | - | is checkout | it times out
checkout it times out | - | is checkout | it times out
checkout | - | is checkout | -
sev1 checkout | sev1 | is checkout | -
sev1 checkout: | sev1 | is checkout | -
checkout sev1 | sev1 | is checkout | -
sev1 | sev1 | is not said | -
- | - | is not said | -
sev1 checkout:it times out | sev1 | is checkout | it times out
sev1 checkout : it times out | sev1 | is checkout | it times out
sev1 checkout - it times out | sev1 | is checkout | it times out
sev1 checkout – it times out | sev1 | is checkout | it times out
sev1 checkout, all of it | sev1 | is checkout | all of it
sev1 checkout's page is blank | sev1 | is checkout | page is blank
sev1 `checkout` is down | sev1 | is checkout | is down
sev1 "checkout": down | sev1 | is checkout | down
sev1 check out: down | sev1 | is checkout | down
sev1 check-out: down | sev1 | is checkout | down
sev1 checkout:5xx everywhere | sev1 | is checkout | 5xx everywhere
sev1 order-service: no orders | sev1 | is order-service | no orders
sev1 order service: no orders | sev1 | is order-service | no orders
sev1 Order Service no orders | sev1 | is order-service | no orders
sev1 orderservice: no orders | sev1 | is order-service | no orders
sev1 order: no orders | sev1 | is order-service | no orders
order sev2 no orders | sev2 | is order-service | no orders
sev1 payments-web blank | sev1 | is payments-web | blank
sev1 payments web blank | sev1 | is payments-web | blank
sev1 Payments Web: blank | sev1 | is payments-web | blank
sev1 überweisungen: stehen | sev1 | is zahlung | stehen
sev1 ÜBERWEISUNGEN stehen | sev1 | is zahlung | stehen
sev1 e-mail: bounces | sev1 | is email | bounces
sev2 search is slow | sev2 | is search | is slow
sev2 Search results are stale | sev2 | is search | results are stale
sev2 search: indexer lags | sev2 | is search | indexer lags
sev2 search-indexer lags | sev2 | is search-indexer | lags
sev2 search indexer: lags | sev2 | is search-indexer | lags
sev2 search indexer lags | sev2 | may be search, search-indexer | search indexer lags
sev2 payments page blank | sev2 | may be payments-api, payments-web | payments page blank
sev2 payments: page blank | sev2 | may be payments-api, payments-web | page blank
payments sev2 page blank | sev2 | may be payments-api, payments-web | page blank
sev1 chekout: times out | sev1 | may be checkout | times out
sev1 chekout times out | sev1 | may be checkout | chekout times out
chekout sev1 times out | sev1 | may be checkout | times out
sev1 chekcout down | sev1 | may be checkout | chekcout down
sev1 serach: empty | sev1 | may be search, search-indexer | empty
sev1 paymnets-api: 500s | sev1 | may be payments-api | 500s
sev1 orders: they hang | sev1 | may be order-service | they hang
sev1 Orders are failing | sev1 | may be order-service | Orders are failing
sev1 order emails are late | sev1 | may be order-service | order emails are late
sev1 the checkout page is blank | sev1 | may be checkout | the checkout page is blank
sev1 nobody can pay in checkout | sev1 | may be checkout | nobody can pay in checkout
sev1 email to customers bounces | sev1 | is email | to customers bounces
sev1 checkout and search: both down | sev1 | may be checkout, search | both down
sev1 login and search are down | sev1 | may be search | login and search are down
sev1 :fire: checkout is down | sev1 | may be checkout | fire: checkout is down
sev1 it times out | sev1 | is not said | it times out
sev1 it: the printers burn | sev1 | is it | the printers burn
sev1 it tools: the printers burn | sev1 | is it | the printers burn
sev1 Black Friday: everything is slow | sev1 | is not said | Black Friday: everything is slow
sev1 at 03:15 everything died | sev1 | is not said | at 03:15 everything died
sev1 checkout 03:15 it died | sev1 | is checkout | 03:15 it died
sev1 see https://status.example/x | sev1 | is not said | see https://status.example/x
sev1 the site is down | sev1 | is not said | the site is down
the site is down | - | is not said | the site is down
500 errors everywhere | - | is not said | 500 errors everywhere
checkout 2 pods crash | - | is checkout | 2 pods crash
several orders hang | - | is not said | several orders hang
worse than yesterday's sev2 | - | is not said | worse than yesterday's sev2
checkout is as bad as a sev1 | - | is checkout | is as bad as a sev1
sev9 checkout: it times out | sev9 | is checkout | it times out
checkout sev9 | sev9 | is checkout | -
sev1 checkouts: slow | sev1 | may be checkout | slow
sev1 ch: slow | sev1 | is not said | ch: slow
"""
CASES = [tuple(part.strip() for part in line.split("|")) for line in TABLE.strip().splitlines()]


def test_enough_cases() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize(("typed", "severity", "service", "rest"), CASES)
def test_the_words_before_the_colon(typed: str, severity: str, service: str, rest: str) -> None:
    found = declarations.split("" if typed == "-" else typed, SERVICES)

    assert (found.severity or "-") == severity
    assert _told(found.name.service, found.name.candidates) == service
    assert (found.name.rest or "-") == rest


def _told(service: str, candidates: tuple[str, ...]) -> str:
    if service:
        return f"{SURE} {service}"
    return f"{ASKED} {', '.join(candidates)}" if candidates else UNSAID


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("sev1 checkout: it times out", "checkout: it times out"),
        ("checkout sev1: it times out", "checkout: it times out"),
        ("sev1 Checkout it times out", "Checkout it times out"),
        ("sev1 chekout: times out", "chekout: times out"),
        ("checkout sev1", "checkout"),
    ],
)
def test_a_title_keeps_the_name(typed: str, title: str) -> None:
    assert declarations.split(typed, SERVICES).title == title


@pytest.mark.parametrize(
    ("typed", "severity"),
    [
        ("orders hang, sev2", Severity.SEV2),
        ("it burns SEV-1!", Severity.SEV1),
        ("it burns sev9", None),
        ("as bad as the sev2 of May", None),
        ("sev2 no more", None),
        ("it burns", None),
    ],
)
def test_a_severity_at_the_end(typed: str, severity: Severity | None) -> None:
    assert declarations.last_severity(typed) is severity


def test_the_only_service_has_its_name() -> None:
    only = (ServiceName("order-service", "Order Service"),)

    assert read("order-service: it hangs", only).rest == "it hangs"
    assert read("checkout: it hangs", only).service == ""


def test_many_services_are_read_quickly() -> None:
    many = tuple(ServiceName(f"team-{n}-shop-{n}", f"Shop {n} of team {n}") for n in range(200))
    declarations.split("sev1 zzcheckout: it times out", many)

    began = time.perf_counter()
    declarations.split("sev1 zcheckout: it times out", many)

    assert time.perf_counter() - began < 0.1  # about 7 ms


def test_the_page_tells_the_truth() -> None:
    page = (ROOT / "docs" / "declaring.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]

    told = []
    for typed, _, _ in rows:
        name = declarations.split(typed.strip("`"), SERVICES).name
        told.append([typed, _told(name.service, name.candidates), name.rest])

    assert told == rows
    assert len(rows) == 15
