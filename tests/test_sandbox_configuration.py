"""The configuration that the sandbox gives the bot: both teams, and playbooks of one's own."""

from pathlib import Path

import pytest

from bot import config
from bot.__main__ import load_playbooks
from bot.config import Config
from sandbox.configuration import write_configuration

BOOK = """\
service: search
title: Search
severities:
  sev1: {meaning: Nobody finds anything, response: 15 min}
  sev2: {meaning: Some find nothing, response: 30 min}
  sev3: {meaning: Finding takes long, response: 2 h}
  sev4: {meaning: Odd order, response: 24 h}
scenarios:
  - id: outage
    title: Outage
    severity: sev1
    symptoms: [Nothing is found]
    steps:
      - {id: pods, title: Pods, phase: immediate, action: pods, params: {selector: app=search}}
"""


def services(loaded: Config) -> list[str]:
    """The services that the bot knows of."""
    return list(loaded.services)


def test_two_teams_are_listed(tmp_path: Path) -> None:
    loaded = config.load(write_configuration(tmp_path))

    assert services(loaded) == ["order-service", "payment-service"]
    orders, payments = loaded.of("order-service"), loaded.of("payment-service")
    assert (orders.cluster, orders.namespace) == ("us-east", "tickettoken")
    assert payments.all_clusters == ("us-east", "eu-west")
    assert payments.all_namespaces == ("payments",)
    assert list(payments.databases) == ["payments"]
    assert orders.approvers.groups == ("order-service-approvers",)
    assert payments.approvers.groups == ("payment-service-approvers",)


def test_every_service_has_a_playbook(tmp_path: Path) -> None:
    loaded = config.load(write_configuration(tmp_path))

    assert {book.service for book in load_playbooks(loaded)} == set(services(loaded))


def test_an_own_playbook_has_a_team(tmp_path: Path) -> None:
    books = tmp_path / "own"
    books.mkdir()
    (books / "search.yml").write_text(BOOK)

    loaded = config.load(write_configuration(tmp_path, books))

    assert services(loaded) == ["order-service", "payment-service", "search"]
    assert loaded.of("search").namespace == "tickettoken"
    assert loaded.of("search").approvers.groups == ("order-service-approvers",)
    assert [book.service for book in load_playbooks(loaded)] == ["search"]


@pytest.mark.parametrize("text", ["service: [", "service: 5\n", "- a\n", ""])
def test_a_broken_playbook_is_left_to_the_bot(tmp_path: Path, text: str) -> None:
    books = tmp_path / "own"
    books.mkdir()
    (books / "search.yml").write_text(text)

    loaded = config.load(write_configuration(tmp_path, books))

    assert services(loaded) == ["order-service", "payment-service"]


def test_a_new_start_forgets_the_last(tmp_path: Path) -> None:
    books = tmp_path / "own"
    books.mkdir()
    (books / "search.yml").write_text(BOOK)
    write_configuration(tmp_path, books)

    loaded = config.load(write_configuration(tmp_path))

    assert services(loaded) == ["order-service", "payment-service"]
