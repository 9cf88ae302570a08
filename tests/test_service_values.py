"""The values of a service in texts: what an expression gives, and that it can do nothing else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment
from pydantic import ValidationError

from bot.playbooks import rendering
from bot.playbooks.rendering import NotKnown, Service
from bot.playbooks.service_values import ServiceValues
from bot.views import text as views

VALUES: dict[str, Any] = {
    "id": "checkout",
    "title": "Checkout",
    "deployment": "checkout-web",
    "replicas": 4,
    "share": 0.5,
    "debt": -3,
    "is_public": True,
    "host": "a b/c",
    "items": "of a dict",
}
CHECKOUT = Service("Checkout", VALUES)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{{ service.deployment }}", "checkout-web"),
        (
            "deployment/{{service.deployment}} of {{ service }}",
            "deployment/checkout-web of Checkout",
        ),
        ("{{ service }}", "Checkout"),
        ("{{ service.replicas }}", 4),
        (" {{ service.replicas }} ", 4),
        ("{{ service.replicas }} pods", "4 pods"),
        ("{{ service.replicas + 2 }}", 6),
        ("{{ service.share }}", 0.5),
        ("{{ service.is_public }}", True),
        ('{{ service["deployment"] }}', "checkout-web"),
        ("{{ service.items }}", "of a dict"),
        ("{{ service.port | default(8080) }}", 8080),
        ("{{ service.deployment | upper }}", "CHECKOUT-WEB"),
        ("https://x.example/{{ service.host | urlencode }}", "https://x.example/a%20b/c"),
        ('{{ "many" if service.replicas > 3 else "few" }} pods', "many pods"),
        ('{{ "}} {{" ~ service.id }}', "}} {{checkout"),
        ("{{ .service.id }} {{ service.id }}", "{{ .service.id }} checkout"),
        ("${{ github.sha }} {{ service.id }}", "${{ github.sha }} checkout"),
    ],
)
def test_what_a_text_becomes(text: str, rendered: object) -> None:
    found = rendering.render(text, CHECKOUT)

    assert rendering.mentions(text)
    assert (type(found), found) == (type(rendered), rendered)


@pytest.mark.parametrize(
    "text",
    ["{{ .service.id }}", "{{ $service.id }}", "{{ title }}", "{ service.id }", "service.id"],
)
def test_other_texts_have_no_values(text: str) -> None:
    assert not rendering.mentions(text)
    assert rendering.syntax_mistake(text) is None


@pytest.mark.parametrize(
    "text",
    ["{{ service.id", "{{ {service.id: 1} }}", "{% if service.id %}", "{{ service.id | a('}}') %}"],
)
def test_what_only_looks_like_an_expression(text: str) -> None:
    assert rendering.syntax_mistake(text) == (
        "expects values as {{ service.NAME }}, and no other template"
    )


# Each of these must fail: by an error that is told, before anything is called or gets large.
FORBIDDEN = (
    "{{ service.__class__ }}",
    "{{ service.id.__class__.__mro__ }}",
    "{{ service.id.__init__.__globals__ }}",
    "{{ service._asdict() }}",
    "{{ service.known }}",
    "{{ service.id.upper() }}",
    "{{ service.id.format(service) }}",
    '{{ "{0.__class__}".format(service.id) }}',
    '{{ service.id | attr("__class__") }}',
    "{{ service.id | center(1000000000) }}",
    '{{ service.id | map("upper") }}',
    "{{ service.id * 1000000000 }}",
    "{{ 9 ** 999999999 + service.replicas }}",
    '{{ "%0999999999d" % service.replicas }}',
    "{{ range(1000000000) ~ service.id }}",
    "{{ cycler(service.id) }}",
    "{{ lipsum() ~ service.id }}",
    "{{ self._TemplateReference__context ~ service.id }}",
    "{{ namespace(a=service.id) }}",
    "{{ [service.id] }}",
    "{{ service.replicas / 0 }}",
    "{{ service.id + 1 }}",
    "{{ none if service.id }}",
    "{{ service.id; service.title }}",
    "{{ " + "(" * 2000 + "service.id" + ")" * 2000 + " }}",
)


@pytest.mark.parametrize("text", FORBIDDEN)
def test_expressions_can_do_nothing_else(text: str) -> None:
    with pytest.raises(rendering.ERRORS):
        rendering.render(text, CHECKOUT)


@given(st.sampled_from(["{{ 7 * 7 }}", "{{ service.id }}", "{% raw %}", "{#", "}}"]), st.text())
def test_a_value_is_never_an_expression(template: str, other: str) -> None:
    value = f"{template}{other}"
    service = Service(value, {"title": value, "x": value})

    assert rendering.render("{{ service.x }}", service) == value
    assert rendering.render("a {{ service.x }} b", service) == f"a {value} b"


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALAR = TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()


@given(SCALAR)
def test_messages_say_the_value_itself(value: str | float) -> None:
    """As if the template had been given the value during the incident."""
    service = Service("S", {"title": "S", "x": value})
    template = "{{ severity }}: {{ service.x }} {{ service.x == same }} {{ service }}\n"

    written = rendering.render_message(template, service)
    said = SandboxedEnvironment().from_string(written)

    told = said.render(severity="SEV-1", service="Shop", same=value)
    assert told == f"SEV-1: {value} True Shop"


@pytest.mark.parametrize(
    "template",
    [
        "{{ severity }} {{ service }}",
        "{% raw %}{{ service.x }}{% endraw %}",
        "{# service.x #}\n\n{{- title -}}\n{{ title.service.x }}",
        "service.x",
    ],
)
def test_messages_without_values_stay(template: str) -> None:
    assert not rendering.message_mentions(template)
    assert rendering.render_message("{{ service.id }}" + template, CHECKOUT).startswith(
        '{{ ("checkout") }}'
    )


def test_values_in_messages_are_escaped_for_slack() -> None:
    service = Service("S", {"x": "<!channel> & *all*"})

    written = rendering.render_message("{{ service.x }} of {{ service }}", service)

    assert views.fill(written, service="Shop") == "&lt;!channel&gt; &amp; *all* of Shop"


@pytest.mark.parametrize("text", ["{{ service.port }}", "{{ service.port | default(1) }}"])
def test_unknown_configuration_knows_no_value(text: str) -> None:
    with pytest.raises(NotKnown, match="port"):
        rendering.render(text, Service("Checkout", {"id": "checkout"}, is_complete=False))


@pytest.mark.parametrize(
    "values",
    [
        {"id": "x"},
        {"title": "x"},
        {"_x": "x"},
        {"a-b": "x"},
        {"a.b": "x"},
        {"": "x"},
        {"x": ["a"]},
        {"x": {"a": "b"}},
        {"x": None},
    ],
)
def test_values_that_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServiceValues(values=values)


@pytest.mark.parametrize("value", ["a", "5", 5, 0.5, True])
def test_values_keep_their_kind(value: str | float) -> None:
    kept = ServiceValues(values={"x": value}).values["x"]

    assert (type(kept), kept) == (type(value), value)
