"""How containers behave, chosen by the tag of their image."""

from dataclasses import dataclass
from decimal import Decimal

NODE_TRACE = (
    "    at requiredSeconds (/app/dist/config/stripe.js:41:11)",
    "    at new WebhookVerifier (/app/dist/webhooks/verifier.js:18:22)",
    "    at WebhookWorker.handle (/app/dist/webhooks/worker.js:73:24)",
    "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)",
)


@dataclass(frozen=True)
class Crash:
    """When a container crashes, with which exit code and last log lines."""

    exit_code: int
    reason: str
    first_after: float
    later_after: float
    final_lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Behaviour:
    """How a container starts, becomes ready and crashes; times in the cluster's seconds."""

    pull: float = 1.2
    ready_after: float | None = 2.0
    pull_error: str = ""
    crash: Crash | None = None


CONFIG_CRASH = Crash(
    exit_code=2,
    reason="Error",
    first_after=8.0,
    later_after=1.5,
    final_lines=(
        '{"level":"fatal","service":"order-service","msg":"webhook worker stopped: '
        'STRIPE_WEBHOOK_TOLERANCE is not set","exitCode":2}',
        "/app/dist/config/stripe.js:41",
        "    throw new ConfigError(`${name} must be a whole number of seconds, got ${value}`);",
        "    ^",
        "",
        "ConfigError: STRIPE_WEBHOOK_TOLERANCE must be a whole number of seconds, got undefined",
        *NODE_TRACE,
        "",
        "Node.js v22.11.0",
    ),
)
MEMORY_CRASH = Crash(
    exit_code=137,
    reason="OOMKilled",
    first_after=12.0,
    later_after=6.0,
    final_lines=(
        '{"level":"warn","service":"order-service","msg":"under pressure: heap used 481 MB of '
        '512 MB, event loop delay 1840 ms"}',
        '{"level":"warn","service":"order-service","msg":"refund export holds 118204 rows in '
        'memory"}',
    ),
)


# What the greedy image needs to live.
ENOUGH_MEMORY = 768 * 1024**2


def behaviour(image: str, memory: Decimal | None = None) -> Behaviour:
    """The behaviour of an image's container with a memory limit; an ordinary tag just runs."""
    tag = image.rpartition(":")[2]
    if tag == "missing" or tag.endswith("-missing"):
        return Behaviour(pull_error=_not_found(image))
    if tag.endswith("-oom") and memory is not None and memory < ENOUGH_MEMORY:
        return Behaviour(crash=MEMORY_CRASH)
    if tag.endswith("-unready"):
        return Behaviour(ready_after=None)
    if tag == "v2.4.0" or tag.endswith("-crash"):
        return Behaviour(crash=CONFIG_CRASH)
    return Behaviour()


def _not_found(image: str) -> str:
    return (
        f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
        f"{image}: not found"
    )
