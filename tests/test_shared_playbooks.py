"""One playbook file for several services: what each gets, and what people are told of mistakes."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.actions.registry import ACTIONS
from bot.model import ID_PATTERN, Link, Playbook
from bot.playbooks import loader
from bot.playbooks.loader import PlaybookError
from bot.playbooks.service_values import ServiceValues, Value
from tests.conftest import ROOT
from tests.shop_playbooks import HEAD, SCALE_STEP

EXAMPLE = ROOT / "templates" / "playbooks" / "examples" / "web-service.yml"
ONE = "service: shop\ntitle: Shop\n"
STEPS = """\
  - id: outage
    title: Outage of {{ service.title }}
    severity: sev1
    symptoms:
      - "{{ service.title }} is down"
    steps:
      - id: logs
        title: Logs
        phase: immediate
        action: logs
        params:
          selector: "{{ service.selector }}"
          tail: "{{ service.tail }}"
        hint: See {{ service.deployment }}
        command: kubectl logs -l {{ service.selector }}
      - id: scale
        title: Scale
        phase: recovery
        action: scale-deployment
        params: {deployment: "{{ service.deployment }}"}
        ask: [replicas]
contacts:
  - role: Lead of {{ service.title }}
    contact: "{{ service.lead }}"
links:
  - title: Dashboard
    url: https://grafana.example/{{ service.id }}
post_incident:
  - Tell {{ service.lead }}
internal_alert: "{{ severity }} {{ service }} {{ service.deployment }}: {{ title }}"
"""
SHARED = HEAD.replace(ONE, 'services: [checkout, search]\ntitle: "{{ service.title }}"\n') + STEPS
SINGLE = HEAD + STEPS


def service(name: str, **values: Value) -> ServiceValues:
    own: dict[str, Value] = {
        "deployment": f"{name}-web",
        "selector": f"app={name}",
        "tail": len(name),
        "lead": f"@{name}-lead",
    }
    return ServiceValues(title=name.title(), values=own | values)


TWO = {"checkout": service("checkout"), "search": service("search")}


def written(folder: Path, text: str, name: str = "shared.yml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def load(where: Path, services: Mapping[str, ServiceValues] = TWO) -> tuple[Playbook, ...]:
    return loader.load(where, ACTIONS, services)


def told(where: Path, services: Mapping[str, ServiceValues] = TWO) -> list[str]:
    """The mistakes, without the folder."""
    folder = where if where.is_dir() else where.parent
    with pytest.raises(PlaybookError) as raised:
        load(where, services)
    return [line.replace(f"{folder}/", "") for line in str(raised.value).splitlines()[1:]]


def test_each_service_has_its_playbook(tmp_path: Path) -> None:
    checkout, search = load(written(tmp_path, SHARED))

    assert (checkout.service, checkout.title) == ("checkout", "Checkout")
    assert (search.service, search.title) == ("search", "Search")
    [scenario] = checkout.scenarios
    assert scenario.title == "Outage of Checkout"
    assert scenario.symptoms == ("Checkout is down",)
    logs, scale = scenario.steps
    assert logs.params == {"selector": "app=checkout", "tail": 8}
    assert (logs.hint, logs.command) == ("See checkout-web", "kubectl logs -l app=checkout")
    assert scale.params == {"deployment": "checkout-web"}
    assert [(one.role, one.contact) for one in checkout.contacts] == [
        ("Lead of Checkout", "@checkout-lead")
    ]
    assert checkout.links == (Link(title="Dashboard", url="https://grafana.example/checkout"),)
    assert [item.title for item in search.post_incident] == ["Tell @search-lead"]
    assert search.scenarios[0].steps[0].params == {"selector": "app=search", "tail": 6}


def test_all_are_those_of_the_configuration(tmp_path: Path) -> None:
    file = written(tmp_path, SHARED.replace("[checkout, search]", "all"))

    assert [book.service for book in load(file)] == ["checkout", "search"]


def test_title_may_be_left_out(tmp_path: Path) -> None:
    file = written(tmp_path, SHARED.replace('title: "{{ service.title }}"\n', "", 1))

    assert [book.title for book in load(file)] == ["Checkout", "Search"]


def test_a_file_for_one_service_has_values(tmp_path: Path) -> None:
    [book] = load(written(tmp_path, SINGLE), {"shop": service("shop")})

    assert (book.service, book.title) == ("shop", "Shop")
    assert book.scenarios[0].steps[0].params == {"selector": "app=shop", "tail": 4}


def test_defaults_are_for_what_nothing_lists(tmp_path: Path) -> None:
    defaults = service("any").model_copy(update={"title": ""})

    [book] = loader.load(written(tmp_path, SINGLE), ACTIONS, {}, defaults)

    assert book.scenarios[0].title == "Outage of Shop"
    assert book.scenarios[0].steps[0].params == {"selector": "app=any", "tail": 3}


# What is written instead of what, and the lines that tell the mistakes.
MISTAKES = {
    "an unknown value": (
        'contact: "{{ service.lead }}"',
        'contact: "{{ service.laed }}"',
        [
            '32:14: service.laed is not a value of checkout and search; did you mean "lead"?',
        ],
    ),
    "an unknown value in a message": (
        "{{ service.deployment }}: {{",
        "{{ service.deploymnet }}: {{",
        [
            "38:17: service.deploymnet is not a value of checkout and search; "
            'did you mean "deployment"?',
        ],
    ),
    "a value in brackets in a message": (
        "{{ service.deployment }}: {{",
        '{{ service[\\"deployment\\"] }}: {{',
        [
            '38:17: "internal_alert" is not a Jinja2 template: write service.NAME for a value, '
            "in its line 1",
        ],
    ),
    "an unknown service": (
        "[checkout, search]",
        "[checkout, serach]",
        ['1:22: unknown service "serach"; did you mean "search"?'],
    ),
    "one service that is unknown": (
        "services: [checkout, search]",
        "service: chekout",
        ['1:10: unknown service "chekout"; did you mean "checkout"?'],
    ),
    "a service twice": (
        "[checkout, search]",
        "[checkout, checkout]",
        ['1:22: duplicate service "checkout"'],
    ),
    "a service that is no text": (
        "[checkout, search]",
        "[checkout, 5]",
        ['1:22: item 2 of "services" expects text, found 5'],
    ),
    "no services": (
        "[checkout, search]",
        "[]",
        ['1:11: "services" expects at least 1 in the list'],
    ),
    "a word for services": (
        "[checkout, search]",
        "checkout",
        ['1:11: "services" expects a list of services, or all, found "checkout"'],
    ),
    "one service and several": (
        "services: [checkout, search]",
        "service: checkout\nservices: all",
        ['2:1: "service" and "services" are both there; keep one of them'],
    ),
    "a misspelled service in an expression": (
        "hint: See {{ service.deployment }}",
        "hint: See {{ servcie.deployment }}",
        ['22:15: "hint" unknown name "servcie"; did you mean "service"?'],
    ),
    "an expression that does not end": (
        "hint: See {{ service.deployment }}",
        "hint: See {{ service.deployment }",
        ['22:15: "hint" expects values as {{ service.NAME }}, and no other template'],
    ),
    "a block": (
        "hint: See {{ service.deployment }}",
        'hint: "See {% if service.tier %}it{% endif %}"',
        ['22:15: "hint" expects values as {{ service.NAME }}, and no other template'],
    ),
    "an expression that is none": (
        "hint: See {{ service.deployment }}",
        "hint: See {{ service.deployment service }}",
        ['22:15: "hint" has an expression that cannot be used: chunk after expression'],
    ),
    "a name that only messages have": (
        "hint: See {{ service.deployment }}",
        "hint: See {{ service.deployment ~ severity }}",
        ["22:15: \"hint\" has an expression that cannot be used: 'severity' is undefined"],
    ),
    "an id with a value": (
        "- id: scale",
        '- id: "{{ service.id }}"',
        [f'24:13: "id" expects text of the form {ID_PATTERN}, found "{{{{ service.id }}}}"'],
    ),
    "an action with a value": (
        "action: scale-deployment",
        'action: "{{ service.action }}"',
        ['27:17: unknown action "{{ service.action }}"; expects one of: '],
    ),
    "a mistake of the file itself": (
        'tail: "{{ service.tail }}"',
        "tail: 0",
        ['21:17: action "logs": "tail" expects at least 1, found 0'],
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_told_once(tmp_path: Path, kind: str) -> None:
    old, new, lines = MISTAKES[kind]
    assert SHARED.count(old) == 1
    file = written(tmp_path, SHARED.replace(old, new))

    found = told(file)

    assert [line[: len(expected) + 11] for line, expected in zip(found, lines, strict=True)] == [
        f"shared.yml:{line}" for line in lines
    ]


def test_refused_params_name_their_service(tmp_path: Path) -> None:
    services = {
        "checkout": service("checkout", tail="many"),
        "search": service("search", tail=0, deployment="Search Web"),
    }

    assert told(written(tmp_path, SHARED), services) == [
        'shared.yml:21:17: action "logs": "tail" expects a whole number, found "many" '
        "(for checkout)",
        'shared.yml:21:17: action "logs": "tail" expects at least 1, found 0 (for search)',
        'shared.yml:28:30: action "scale-deployment": "deployment" expects text of the form '
        '^[a-z0-9][a-z0-9.-]*$, found "Search Web"; did you mean "search-web"? (for search)',
    ]


def test_many_services_are_one_line(tmp_path: Path) -> None:
    names = [f"s{index:03}" for index in range(200)]
    services = {name: ServiceValues(title=name) for name in names}
    file = written(tmp_path, HEAD.replace(ONE, "services: all\n") + STEPS)

    found = told(file, services)

    assert len(found) == 8
    assert found[0] == (
        "shared.yml:19:21: service.selector is not a value of s000, s001 and 198 more; expects "
        "one of: id, title"
    )


def test_nothing_is_configured(tmp_path: Path) -> None:
    file = written(tmp_path, SHARED.replace("[checkout, search]", "all"))

    assert told(file, {})[0] == (
        'shared.yml:1:11: "services" is all, but no service is configured; list some under '
        '"services" in RUNBOLT_CONFIG'
    )


def test_one_scenario_from_two_files(tmp_path: Path) -> None:
    written(tmp_path, SHARED, "a.yml")
    other = SHARED.replace("[checkout, search]", "[search]")
    written(tmp_path, other, "b.yml")

    assert told(tmp_path) == ['b.yml:9:9: duplicate id "outage" of search, first in a.yml']


def test_several_files_serve_one(tmp_path: Path) -> None:
    written(tmp_path, SHARED, "a.yml")
    own = SINGLE.replace("service: shop", "service: search").replace("id: outage", "id: index")
    written(tmp_path, own, "b.yml")

    found = [(book.service, book.scenarios[0].id) for book in load(tmp_path)]

    assert found == [("checkout", "outage"), ("search", "outage"), ("search", "index")]


def test_statement_is_the_same_for_all(tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    statement = "SELECT '{{ service.deployment }}' FROM carts WHERE team = %(id)s"
    (tmp_path / "sql" / "carts.sql").write_text(statement)
    step = """\
      - id: carts
        title: Carts
        phase: immediate
        action: query
        params:
          file: carts.sql
          params: {id: "{{ service.tail }}"}
          none: No cart of {{ service.title }}
contacts:
"""
    books = load(written(tmp_path, SHARED.replace("contacts:\n", step)))

    params = [book.scenarios[0].steps[2].params for book in books]
    assert [one["sql"] for one in params] == [statement] * 2
    assert [(one["params"], one["none"]) for one in params] == [
        ({"id": 8}, "No cart of Checkout"),
        ({"id": 6}, "No cart of Search"),
    ]


PLACES = {
    "checkout": service("checkout").model_copy(
        update={
            "clusters": frozenset({"prod-eu", "prod-us"}),
            "namespaces": frozenset({"checkout", "payments"}),
            "databases": frozenset({"main"}),
        }
    ),
    "search": service("search").model_copy(
        update={"clusters": frozenset(), "namespaces": frozenset({"payments"})}
    ),
}


def placed(folder: Path, line: str) -> Path:
    """The file, with a line more in its first step."""
    return written(folder, SHARED.replace("action: logs", f"action: logs\n        {line}"))


def test_step_names_another_place(tmp_path: Path) -> None:
    book, _ = load(placed(tmp_path, "namespace: payments"), PLACES)

    step = book.scenarios[0].steps[0]
    assert (step.cluster, step.namespace, step.database) == ("", "payments", "")


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        (
            "namespace: paymnets",
            '19:20: unknown namespace "paymnets" of checkout and search; did you mean "payments"?',
        ),
        ("cluster: prod-us", '19:18: unknown cluster "prod-us" of search; its configuration'),
        ("database: main", '19:9: action "logs" is done in no database; remove "database"'),
        ("namespace: 5", '19:20: "namespace" expects text, found 5'),
    ],
)
def test_place_is_checked(tmp_path: Path, line: str, mistake: str) -> None:
    assert told(placed(tmp_path, line), PLACES)[0].startswith(f"shared.yml:{mistake}")


def test_unknown_places_are_not_checked(tmp_path: Path) -> None:
    book, _ = load(placed(tmp_path, "namespace: anywhere"))

    assert book.scenarios[0].steps[0].namespace == "anywhere"


@pytest.mark.parametrize(
    ("action", "keys"),
    [
        ("http", set()),
        ("manual", set()),
        ("customer-message", set()),
        ("stripe-events", set()),
        ("query", {"database"}),
        ("end-queries", {"database"}),
        ("database-connections", {"database"}),
    ],
)
def test_where_actions_act(action: str, keys: set[str]) -> None:
    [found] = [each for each in ACTIONS if each.name == action]

    assert found.place_keys == keys


TEXT = st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs", "Cc"]), max_size=30)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["checkout", "search", "mail", "login"]),
        st.tuples(TEXT, TEXT, st.integers(1, 5000)),
        min_size=1,
    )
)
def test_one_file_equals_one_for_each(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, tuple[str, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("n")
    services = {
        name: service(name, lead=lead, tail=tail).model_copy(update={"title": title})
        for name, (title, lead, tail) in drawn.items()
    }
    shared = SHARED.replace("[checkout, search]", f"[{', '.join(services)}]")
    shared = shared.replace("title: Outage of {{ service.title }}", "title: Outage")
    together = load(written(folder, shared), services)

    alone = [
        load(written(folder, shared.replace(f"[{', '.join(services)}]", f"[{name}]")), services)
        for name in services
    ]

    assert [(book,) for book in together] == alone


def test_equal_parts_are_one_object(tmp_path: Path) -> None:
    fixed = "title: Fixed\n        phase: recovery\n        action: manual\n"
    step = f"      - id: fixed\n        {fixed}contacts:\n"
    one, other = load(written(tmp_path, SHARED.replace("contacts:\n", step)))

    assert one.severities is other.severities
    assert one.scenarios[0].steps[2] is other.scenarios[0].steps[2]
    assert one.scenarios[0].steps[0] != other.scenarios[0].steps[0]


def test_two_hundred_services_load_quickly() -> None:
    """They take 0.3 s here; YAML alone, once for each, would take 0.8 s."""
    services = {f"s{index:03}": service(f"s{index:03}", replicas=3) for index in range(200)}
    load(EXAMPLE, dict(list(services.items())[:1]))

    begin = time.process_time()
    books = load(EXAMPLE, services)
    spent = time.process_time() - begin

    assert len(books) == 200
    assert spent < 1.0


def test_a_playbook_without_values_stays(tmp_path: Path) -> None:
    go = "kubectl get pods -o go-template='{{range .items}}{{ .service.x }}{{end}}'"
    step = SCALE_STEP.replace("ask:", f'command: "{go}"\n        ask:')
    text = HEAD + STEPS[: STEPS.index("    steps:")].replace("{{ service.title }}", "Shop")

    [book] = load(written(tmp_path, f"{text}    steps:\n{step}"), {})

    assert book.scenarios[0].steps[0].command == go
