"""Services in the configuration: defaults, what a team sets itself, and what is refused."""

from pathlib import Path

import pytest

from bot import config
from bot.__main__ import load_playbooks
from bot.config import Config, DatabaseSource, MemberSelector, Surroundings
from bot.model import Risk, Severity, UserError

TWO = """\
approvers: {groups: [sre]}
policy: {approvals: {destructive: 2}, undo_window: 5 min}
values: {region: eu}
services:
  checkout:
    namespace: checkout
    cluster: prod-eu
    approvers: {users: [U1, U2]}
    policy: {approvals: {change: 0}}
    values: {deployment: checkout}
    databases:
      main: {read: CHECKOUT_URL}
      reporting: {read: REPORTING_URL, admin: REPORTING_ADMIN_URL}
  search:
    clocks: {sev1: {update: 10 min}}
"""
VARIABLES = {"CHECKOUT_URL": "x", "REPORTING_URL": "y", "REPORTING_ADMIN_URL": "z"}
FOUND = Surroundings("tickets", ("prod-eu", "prod-us"), VARIABLES.get)


def load(folder: Path, text: str, found: Surroundings = FOUND) -> Config:
    file = folder / "runbolt.yml"
    file.write_text(text)
    return config.load(file, found)


def mistakes(folder: Path, text: str) -> list[str]:
    """What is told of a wrong file, line by line, without its name and the sentence on top."""
    with pytest.raises(UserError) as refused:
        load(folder, text)
    return [line.split("runbolt.yml")[1] for line in str(refused.value).splitlines()[1:]]


def test_a_team_sets_its_own(tmp_path: Path) -> None:
    checkout = load(tmp_path, TWO).of("checkout")

    assert (checkout.cluster, checkout.namespace) == ("prod-eu", "checkout")
    assert checkout.approvers == MemberSelector(users=("U1", "U2"))  # and not those of all
    assert checkout.policy.approvals.of(Risk.CHANGE) == 0
    assert checkout.values == {"region": "eu", "deployment": "checkout"}
    assert checkout.databases["main"] == DatabaseSource(read="CHECKOUT_URL")


def test_the_rest_are_defaults(tmp_path: Path) -> None:
    given = load(tmp_path, TWO)

    assert given.of("checkout").policy.approvals.of(Risk.DESTRUCTIVE) == 2
    search = given.of("search")
    assert (search.namespace, search.approvers.groups) == ("tickets", ("sre",))
    assert search.cadence(Severity.SEV1).update.total_seconds() == 10 * 60
    assert search.cadence(Severity.SEV2).update.total_seconds() == 30 * 60
    # Of several services, none has another's database without a word.
    assert (search.databases, search.stripe) == ({}, "")


@pytest.mark.parametrize("services", ["", "services: {orders: {}}\n"], ids=["none", "one"])
def test_the_one_service_has_the_variables(tmp_path: Path, services: str) -> None:
    orders = load(tmp_path, f"approvers: {{users: [U1]}}\n{services}").of("orders")

    source = DatabaseSource(read="ORDERS_DATABASE_URL", admin="ORDERS_DATABASE_ADMIN_URL")
    assert list(orders.databases.values()) == [source]
    assert (orders.stripe, orders.namespace) == ("STRIPE_API_KEY", "tickets")


def test_each_team_has_a_file(tmp_path: Path) -> None:
    (tmp_path / "all.yml").write_text("defaults: {approvers: {groups: [sre]}}")
    (tmp_path / "search.yml").write_text("services: {search: {namespace: search}}")
    (tmp_path / "shop.yaml").write_text("services: {shop: {namespace: shop}}")
    (tmp_path / "notes.txt").write_text("services: {none: {}}")

    given = config.load(tmp_path, FOUND)

    assert list(given.services) == ["search", "shop"]
    assert given.of("shop").approvers.groups == ("sre",)


def test_nothing_is_said_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("approvers: {groups: [sre]}\nservices: {shop: {}}")
    (tmp_path / "b.yml").write_text("defaults:\n  approvers: {groups: [ops]}\nservices: {shop: {}}")

    with pytest.raises(UserError) as refused:
        config.load(tmp_path, FOUND)

    first, second = str(refused.value).splitlines()[1:]
    assert (
        first == f"  {tmp_path}/b.yml:2:3: defaults.approvers: stands already in {tmp_path}/a.yml:1"
    )
    assert second == f"  {tmp_path}/b.yml:3:12: services.shop: stands already in {tmp_path}/a.yml:2"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "cluster: prod-eu",
            "cluster: prod-europe",
            ':7:5: cluster: the kubeconfig has no context "prod-europe"; did you mean "prod-eu"?',
        ),
        (
            "read: REPORTING_URL",
            "read: REPORTING",
            ":13:19: databases.reporting.read: REPORTING is not set: set it, or correct the name",
        ),
        (
            "read: CHECKOUT_URL",
            "read: /etc/none/dsn",
            ":12:14: databases.main.read: there is no file /etc/none/dsn: make it, or correct the "
            "path",
        ),
        (
            "approvers: {users: [U1, U2]}",
            "approvers: {users: [U1]}",
            ":9:25: policy.approvals.destructive: up to 2 people must approve, and approvers of "
            "checkout names only 1, so such a change could not run; name more people or a group "
            "under approvers, or ask for fewer",
        ),
        ("approvers: {groups: [sre]}", "runbooks: x", ":14:3: approvers of search: missing"),
        (
            "namespace: checkout",
            "namespaec: checkout",
            ":6:5: services.checkout.namespaec: unknown key",
        ),
    ],
    ids=["context", "variable", "file", "too few", "nobody", "key"],
)
def test_a_mistake_names_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert mistakes(tmp_path, TWO.replace(old, new)) == [expected]


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    told = mistakes(tmp_path, TWO.replace("CHECKOUT_URL", "postgresql://u:hunter2@db/shop"))

    assert told == [
        ":12:14: databases.main.read: expects the name of a variable or the path of a file, not "
        "the address itself"
    ]


@pytest.mark.parametrize(("setting", "title"), [("title: Orders", "Orders"), ("", "Order Service")])
def test_a_service_has_one_title(tmp_path: Path, setting: str, title: str) -> None:
    given = load(
        tmp_path, f"approvers: {{users: [U1]}}\nservices: {{order-service: {{{setting}}}}}"
    )

    assert {playbook.title for playbook in load_playbooks(given)} == {title}
