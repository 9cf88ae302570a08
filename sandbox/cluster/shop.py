"""The shop's namespace: order-service with a rollout history, and what it needs beside it."""

from sandbox.cluster.errors import Obj
from sandbox.cluster.state import State
from sandbox.cluster.workloads import (
    History,
    add_deployment,
    add_external_name,
    add_nodes,
    add_service,
    add_stateful_set,
    deployment,
    secret,
)

NAMESPACE = "tickettoken"
NODE_NAMES = ("shop-worker-1", "shop-worker-2", "shop-worker-3")
ORDER_PORT, PAYMENT_PORT, STOREFRONT_PORT = 3005, 3006, 3000
ORDER_HISTORY: History = (
    *((3, "v2.1.4", 64), (4, "v2.2.0", 41)),
    *((5, "v2.3.0", 17), (6, "v2.3.1", 6)),
)
PAYMENT_HISTORY: History = ((11, "v1.8.2", 33), (12, "v1.9.0", 12))
STOREFRONT_HISTORY: History = ((31, "v4.7.0", 20), (32, "v4.7.1", 9))
BACKENDS = (
    ("tickettoken-postgres", "postgres:18.1", 5432),
    ("tickettoken-redis", "valkey/valkey:9.1", 6379),
    ("tickettoken-rabbitmq", "rabbitmq:4.1-management", 5672),
)


def add_shop(state: State, replicas: int) -> None:
    """Add the nodes and order-service with its backends, healthy and running for days."""
    add_nodes(state, *NODE_NAMES)
    _add_app(state, "order-service", ORDER_PORT, replicas, _order_env(), "100%", ORDER_HISTORY)
    for name, image, port in BACKENDS:
        add_stateful_set(state, NAMESPACE, name, image, port)


def add_own_payments(state: State) -> None:
    """Add payment-service beside order-service, for a shop of one team."""
    env = [_port(PAYMENT_PORT), secret("STRIPE_SECRET_KEY", "stripe", "secret-key")]
    _add_app(state, "payment-service", PAYMENT_PORT, 2, env, "25%", PAYMENT_HISTORY)


def add_storefront(state: State, payments: str) -> None:
    """Add the storefront beside order-service, and the name of payment-service in `payments`."""
    env = [_port(STOREFRONT_PORT)]
    _add_app(state, "storefront", STOREFRONT_PORT, 2, env, "25%", STOREFRONT_HISTORY)
    target = f"payment-service.{payments}.svc.cluster.local"
    add_external_name(state, NAMESPACE, "payment-service", PAYMENT_PORT, target)


def _add_app(
    state: State, name: str, port: int, replicas: int, env: list[Obj], surge: str, history: History
) -> None:
    app = deployment(NAMESPACE, name, port, replicas, env, surge=surge, team="checkout")
    add_deployment(state, app, history)
    add_service(state, NAMESPACE, name, port)


def _order_env() -> list[Obj]:
    return [
        {"name": "NODE_ENV", "value": "production"},
        _port(ORDER_PORT),
        {"name": "DATABASE_HOST", "value": "tickettoken-postgres"},
        {"name": "REDIS_URL", "value": "redis://tickettoken-redis:6379"},
        {"name": "RABBITMQ_URL", "value": "amqp://tickettoken-rabbitmq:5672"},
        {"name": "ORDERS_PAUSED", "value": "false"},
        secret("STRIPE_SECRET_KEY", "stripe", "secret-key"),
    ]


def _port(number: int) -> Obj:
    return {"name": "PORT", "value": str(number)}
