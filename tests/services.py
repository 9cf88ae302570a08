"""Several services: their configuration and their playbooks."""

from pathlib import Path

ONCALL, SECOND, LEAD = "U0AM4Y8K2FR", "U0AJ9W3B7RN", "U0AP5R1MN8A"

SEVERITIES = """\
severities:
  sev1: {meaning: Down, response: 10 min}
  sev2: {meaning: Broken, response: 30 min}
  sev3: {meaning: Slow, response: 2 hours}
  sev4: {meaning: Ugly, response: 1 d}
"""
CHECKOUT = f"""\
service: checkout
title: Checkout
{SEVERITIES}scenarios:
  - id: carts
    title: Carts Stuck
    severity: sev1
    symptoms: [Carts hang, Timeouts in the cart]
    steps:
      - {{id: look, title: Look at the carts, phase: immediate, action: manual}}
"""
SEARCH = f"""\
service: search
title: Search
{SEVERITIES}scenarios:
  - id: index
    title: Index Broken
    severity: sev1
    symptoms: [The index is stale]
    steps:
      - {{id: look, title: Look at the index, phase: immediate, action: manual}}
  - id: empty
    title: No Results
    severity: sev1
    symptoms: [Results are empty]
    steps:
      - {{id: look, title: Look for something, phase: immediate, action: manual}}
"""
SERVICES = f"""\
approvers: {{users: [{ONCALL}, {SECOND}, {LEAD}]}}
services:
  checkout:
    title: Checkout
    channel: team-checkout
    responders: {{users: [{SECOND}]}}
    clocks: {{sev1: {{update: 5 min}}}}
  search:
    responders: {{users: [{LEAD}]}}
  pay-web: {{title: Pay Web}}
  pay-api: {{title: Pay API}}
"""


def write_services(folder: Path, more: str = "") -> Path:
    """Write the configuration and its playbooks, and return the file; `more` are more services."""
    playbooks = folder / "services"
    playbooks.mkdir()
    (playbooks / "checkout.yml").write_text(CHECKOUT, encoding="utf-8")
    (playbooks / "search.yml").write_text(SEARCH, encoding="utf-8")
    file = folder / "services.yml"
    file.write_text(f"playbooks: {playbooks}\n{SERVICES}{more}", encoding="utf-8")
    return file


def write_many_services(folder: Path, count: int) -> Path:
    """The same, and so many more with a playbook each: `shop-0`, `shop-1` and so on."""
    more = "".join(f"  shop-{number}: {{title: Shop {number}}}\n" for number in range(count))
    file = write_services(folder, more)
    for number in range(count):
        book = CHECKOUT.replace("service: checkout", f"service: shop-{number}")
        book = book.replace("title: Checkout", f"title: Shop {number}")
        (folder / "services" / f"shop-{number}.yml").write_text(book, encoding="utf-8")
    return file
