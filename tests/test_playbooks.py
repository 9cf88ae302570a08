"""The shipped playbooks, against the runbook they were written from."""

import re
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import pytest

import templates
from bot.actions.registry import ACTIONS
from bot.model import Contact, Link, Playbook, Scenario, Severity, Step
from bot.playbooks import loader, validation

DOCS = Path(__file__).parent.parent / "docs"
SHIPPED = Path(templates.__file__).parent / "playbooks"


@pytest.fixture
def shipped() -> Playbook:
    [book] = loader.load(SHIPPED / "order-service.yml", ACTIONS)
    return book


def scenario(playbook: Playbook, scenario_id: str) -> Scenario:
    found = playbook.scenario(scenario_id)
    assert found is not None
    return found


def test_the_shipped_scenarios(shipped: Playbook) -> None:
    assert [(scenario.severity.label, scenario.id) for scenario in shipped.scenarios] == [
        ("SEV-1", "complete-service-outage"),
        ("SEV-2", "payment-refund-failures"),
        ("SEV-2", "high-dispute-rate"),
        ("SEV-3", "slow-response-times"),
    ]


def test_the_shipped_severity_table(shipped: Playbook) -> None:
    table = {
        severity: (level.meaning, level.response, level.examples)
        for severity, level in shipped.severities.items()
    }

    assert table == {
        Severity.SEV1: (
            "Critical - Service down, data loss",
            timedelta(minutes=15),
            "Complete outage, payment failures",
        ),
        Severity.SEV2: (
            "High - Major feature broken",
            timedelta(minutes=30),
            "Refunds failing, order creation errors",
        ),
        Severity.SEV3: (
            "Medium - Degraded performance",
            timedelta(hours=2),
            "Slow responses, intermittent errors",
        ),
        Severity.SEV4: (
            "Low - Minor issues",
            timedelta(hours=24),
            "UI bugs, non-critical errors",
        ),
    }


@pytest.mark.parametrize(
    ("scenario_id", "title", "symptoms"),
    [
        (
            "complete-service-outage",
            "Complete Service Outage",
            ("Health checks failing", "No orders being processed", "5xx errors on all endpoints"),
        ),
        (
            "payment-refund-failures",
            "Payment/Refund Failures",
            ("Stripe webhook errors", "Orders stuck in PENDING", "Refunds not processing"),
        ),
        (
            "high-dispute-rate",
            "High Dispute Rate",
            ("Multiple chargebacks in short period", "Fraud alerts from Stripe"),
        ),
        (
            "slow-response-times",
            "Slow Response Times",
            ("P95 latency > 1s", "Timeouts on some requests", "Under-pressure alerts"),
        ),
    ],
)
def test_the_shipped_symptoms(
    shipped: Playbook, scenario_id: str, title: str, symptoms: tuple[str, ...]
) -> None:
    assert scenario(shipped, scenario_id).title == title
    assert scenario(shipped, scenario_id).symptoms == symptoms


def test_steps_of_a_complete_outage(shipped: Playbook) -> None:
    steps = scenario(shipped, "complete-service-outage").steps

    assert [(step.id, step.phase.value, step.action) for step in steps] == [
        ("alert-team", "immediate", "manual"),
        ("pods", "immediate", "pods"),
        ("logs", "immediate", "logs"),
        ("dependencies", "immediate", "dependencies"),
        ("roll-back", "recovery", "rollback"),
        ("database-connections", "recovery", "database-connections"),
        ("rolling-restart", "recovery", "rolling-restart"),
        ("memory-limit", "recovery", "memory-limit"),
        ("delete-pods", "recovery", "delete-pods"),
    ]
    assert [step.id for step in steps if step.recommended] == ["rolling-restart"]


def test_manual_steps_of_other_scenarios(shipped: Playbook) -> None:
    steps = [step for other in shipped.scenarios[1:] for step in other.steps]

    assert [step.id for step in steps if step.action == "manual"] == [
        *("stripe-dashboard", "replay-webhooks"),
        *("block-users", "dispute-evidence", "fraud-thresholds"),
    ]
    assert [(step.id, step.action) for step in steps if step.action != "manual"] == [
        ("undelivered-webhooks", "stripe-events"),
        ("webhook-logs", "logs"),
        ("idempotency", "query"),
        ("stuck-orders", "query"),
        ("payment-service-health", "http"),
        ("pause-orders", "set-env"),
        ("review-orders", "query"),
        ("resume-orders", "set-env"),
        ("pod-resources", "usage"),
        ("long-queries", "query"),
        ("scale-up", "scale-deployment"),
        ("end-queries", "end-queries"),
        ("missing-indexes", "query"),
    ]


def test_every_shipped_query_is_asked(shipped: Playbook) -> None:
    named = {step.params.get("file") for candidate in shipped.scenarios for step in candidate.steps}

    assert {file.name for file in (SHIPPED / "sql").iterdir()} == named - {None}


COMMANDS = {
    "complete-service-outage": [
        "kubectl get pods -l app=order-service",
        "kubectl logs -l app=order-service --tail=100",
        "# Database kubectl exec -it order-service-xxx -- nc -zv tickettoken-postgres 5432 "
        "# Redis kubectl exec -it order-service-xxx -- nc -zv tickettoken-redis 6379 "
        "# RabbitMQ kubectl exec -it order-service-xxx -- nc -zv tickettoken-rabbitmq 5672",
        "kubectl rollout undo deployment/order-service",
        "kubectl exec -it tickettoken-postgres-0 -- psql -U postgres "
        "-c \"SELECT count(*) FROM pg_stat_activity WHERE datname = 'orders';\"",
        "kubectl rollout restart deployment/order-service",
        "kubectl set resources deployment/order-service --limits=memory=1Gi",
        "kubectl delete pod -l app=order-service",
    ],
    "payment-refund-failures": [
        r'kubectl logs -l app=order-service --tail=500 | grep -i "stripe\|webhook\|payment"',
        "SELECT * FROM webhook_events WHERE processed_at IS NULL "
        "AND created_at > NOW() - INTERVAL '1 hour';",
        "-- Find stuck orders SELECT id, status, created_at, stripe_payment_intent_id FROM orders "
        "WHERE status = 'PENDING' AND created_at < NOW() - INTERVAL '30 minutes';",
        "curl http://payment-service:3006/health",
    ],
    "high-dispute-rate": [
        "kubectl set env deployment/order-service ORDERS_PAUSED=true",
        "SELECT user_id, COUNT(*) as order_count, SUM(total_cents) as total FROM orders "
        "WHERE created_at > NOW() - INTERVAL '24 hours' "
        "GROUP BY user_id ORDER BY order_count DESC LIMIT 20;",
        "kubectl set env deployment/order-service ORDERS_PAUSED-",
    ],
    "slow-response-times": [
        "kubectl top pods -l app=order-service",
        "SELECT pid, now() - pg_stat_activity.query_start AS duration, query FROM pg_stat_activity "
        "WHERE state = 'active' AND now() - query_start > interval '5 seconds';",
        "kubectl scale deployment/order-service --replicas=4",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE now() - query_start > interval '30 seconds' AND state = 'active' "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid();",
    ],
}


@pytest.mark.parametrize("scenario_id", COMMANDS)
def test_the_shipped_commands(shipped: Playbook, scenario_id: str) -> None:
    commands = [step.command for step in scenario(shipped, scenario_id).steps if step.command]

    assert [" ".join(command.split()) for command in commands] == COMMANDS[scenario_id]


LINES = {
    "complete-service-outage": [
        "Alert team via PagerDuty/Slack",
        "Check service status",
        "Check dependencies",
        "If pods crashing, check logs and rollback",
        "If database issue, check connection pool",
        "If memory issue, increase limits or restart",
    ],
    "payment-refund-failures": [
        "Check Stripe Dashboard for webhook failures",
        "Check webhook logs",
        "Check for idempotency issues",
        "Replay failed webhooks from Stripe Dashboard",
        "Manually process stuck orders",
        "Check payment-service health",
    ],
    "high-dispute-rate": [
        "Pause new orders if fraud detected",
        "Review recent orders",
        "Block suspicious users",
        "Submit dispute evidence via Stripe",
        "Review fraud detection thresholds",
    ],
    "slow-response-times": [
        "Check pod resource usage",
        "Check database queries",
        "Scale up if CPU/memory bound",
        "Kill long-running queries",
        "Add missing indexes if query-related",
    ],
}


@pytest.mark.parametrize("scenario_id", LINES)
def test_the_shipped_instructions(shipped: Playbook, scenario_id: str) -> None:
    steps = scenario(shipped, scenario_id).steps
    words = [step.hint or step.params.get("instructions") or step.title for step in steps]

    assert [line for line in LINES[scenario_id] if line not in words] == []


def test_the_shipped_messages(shipped: Playbook) -> None:
    assert re.sub(r"\{\{ (\w+) \}\}", r"<\1>", shipped.internal_alert) == dedent("""\
        🚨 [<severity>] Order Service Issue
        Status: <status>
        Impact: <impact>
        Start Time: <start_time>
        Current Status: <current_status>
        Next Update: <next_update>""")
    assert shipped.customer_message == dedent("""\
        We're currently experiencing issues with order processing.
        Our team is actively working to resolve this.
        We apologize for any inconvenience and will update you shortly.""")


def test_the_shipped_lists(shipped: Playbook) -> None:
    assert shipped.overview == (
        "This document outlines procedures for responding to incidents in the order-service."
    )
    assert [(follow_up.title, follow_up.due) for follow_up in shipped.post_incident] == [
        ("Create incident ticket with timeline", None),
        ("Schedule post-mortem within 48 hours", timedelta(hours=48)),
        ("Document root cause and fixes", None),
        ("Create action items to prevent recurrence", None),
        ("Update this runbook if needed", None),
    ]
    assert shipped.contacts == (
        Contact(role="On-Call Engineer", contact="Check PagerDuty"),
        Contact(role="Engineering Lead", contact="@engineering-lead"),
        Contact(role="DevOps", contact="@devops-team"),
        Contact(role="Stripe Support", contact="support.stripe.com"),
    )
    assert shipped.links == (
        Link(title="Database Failover", url="./database-failover.md"),
        Link(title="Deployment Rollback", url="./deployment-rollback.md"),
        Link(title="Graceful Degradation", url="../GRACEFUL_DEGRADATION_STRATEGIES.md"),
    )


def test_the_documented_example_loads(tmp_path: Path) -> None:
    """docs/playbooks.md shows a whole playbook: it must be one."""
    page = (DOCS / "playbooks.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(service:.*?)```", page, re.DOTALL)

    assert example is not None
    file = tmp_path / "example.yml"
    file.write_text(example[1], encoding="utf-8")

    [playbook] = loader.load(file, ACTIONS)

    assert playbook.scenarios


def test_every_action_is_documented() -> None:
    page = (DOCS / "playbooks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \|$", page, re.MULTILINE)
    told = {name: (kind, set(re.findall(r"`(\w+)`(\*?)", params))) for name, kind, params in rows}

    assert told == {
        action.name: (
            action.risk.value,
            {
                (name, "*" * field.is_required())
                for name, field in validation.settable_fields(action).items()
            },
        )
        for action in ACTIONS
    }


@pytest.mark.parametrize("noun", [Playbook, Step])
def test_every_key_is_documented(noun: type[Playbook | Step]) -> None:
    page = (DOCS / "playbooks.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| key \| what it holds \|\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    told = [dict(re.findall(r"^\| `(\w+)`(\*?) \|", table, re.MULTILINE)) for table in tables]

    assert {name: "*" * field.is_required() for name, field in noun.model_fields.items()} in told
