"""The payments team's namespace: payment-service with a rollout history, and its database."""

from sandbox.cluster.errors import Obj
from sandbox.cluster.state import State
from sandbox.cluster.workloads import (
    History,
    add_deployment,
    add_service,
    add_stateful_set,
    deployment,
    secret,
)

NAMESPACE = "payments"
PORT = 3006
HISTORY: History = ((21, "v1.17.2", 47), (22, "v1.17.3", 19), (23, "v1.18.0", 8))
POSTGRES = ("payments-postgres", "postgres:18.1", 5432)
PROVIDER = "https://api.cardprovider.example/v2"


def add_payments(state: State, replicas: int) -> None:
    """Add payment-service and its database, healthy and running for days; nodes are there."""
    app = deployment(
        NAMESPACE, "payment-service", PORT, replicas, _env(), surge="50%", team="payments"
    )
    add_deployment(state, app, HISTORY)
    add_service(state, NAMESPACE, "payment-service", PORT)
    add_stateful_set(state, NAMESPACE, *POSTGRES)


def _env() -> list[Obj]:
    return [
        {"name": "NODE_ENV", "value": "production"},
        {"name": "PORT", "value": str(PORT)},
        {"name": "DATABASE_HOST", "value": "payments-postgres"},
        {"name": "PROVIDER_URL", "value": PROVIDER},
        {"name": "PROVIDER_TIMEOUT_MS", "value": "5000"},
        secret("PROVIDER_API_KEY", "card-provider", "api-key"),
        secret("STRIPE_SECRET_KEY", "stripe", "secret-key"),
    ]
