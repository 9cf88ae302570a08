"""Settings from environment variables; every error message names the variable and the fix."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from bot.model import Model, UserError
from bot.systems import stripe

IN_CLUSTER_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
PAGERDUTY_API_URL = "https://api.pagerduty.com"
POSTGRES_SCHEMES = ("postgresql", "postgres")


class Settings(Model):
    """The values of the environment variables."""

    slack_bot_token: str
    slack_app_token: str | None
    slack_signing_secret: str | None
    slack_api_url: str
    host: str
    port: int
    database_url: str
    redis_url: str
    orders_database_url: str | None
    orders_database_admin_url: str | None
    kubeconfig: Path | None
    kubernetes_namespace: str
    playbook_proxy: str | None
    stripe_api_key: str | None
    stripe_api_url: str
    config: Path
    pagerduty_token: str | None = None
    pagerduty_api_url: str = PAGERDUTY_API_URL
    # All variables, as the configuration names others for databases; never printed.
    environ: Mapping[str, str] = Field(default_factory=dict, repr=False)

    def secret(self, source: str) -> str | None:
        """What a variable or a file says; None for a variable that is not set."""
        if "/" in source:
            return Path(source).read_text(encoding="utf-8").strip()
        return self.variable(source)

    def variable(self, name: str) -> str | None:
        """The value of a variable that the configuration names; None where it is not set."""
        known = {
            "ORDERS_DATABASE_URL": self.orders_database_url,
            "ORDERS_DATABASE_ADMIN_URL": self.orders_database_admin_url,
            "STRIPE_API_KEY": self.stripe_api_key,
            "PAGERDUTY_TOKEN": self.pagerduty_token,
        }
        return known.get(name) or self.environ.get(name, "").strip() or None


def read(environ: Mapping[str, str]) -> Settings:
    """Read all settings; raises UserError with one line for each that is invalid or missing."""
    reader = _Reader(environ)
    settings = {
        "slack_bot_token": reader.token("SLACK_BOT_TOKEN", "xoxb-", "the bot token of the app"),
        "slack_app_token": reader.optional_token("SLACK_APP_TOKEN", "xapp-"),
        "slack_signing_secret": reader.get("SLACK_SIGNING_SECRET"),
        "slack_api_url": reader.url("SLACK_API_URL", ("https", "http"), "https://slack.com/api/"),
        "host": reader.get("HOST") or "0.0.0.0",
        "port": reader.port("PORT", 3000),
        "database_url": reader.url("DATABASE_URL", POSTGRES_SCHEMES),
        "redis_url": reader.url("REDIS_URL", ("redis", "rediss", "unix")),
        "orders_database_url": reader.optional_url("ORDERS_DATABASE_URL", POSTGRES_SCHEMES),
        "orders_database_admin_url": reader.optional_url(
            "ORDERS_DATABASE_ADMIN_URL", POSTGRES_SCHEMES
        ),
        "kubeconfig": reader.kubeconfig(),
        "kubernetes_namespace": reader.get("KUBERNETES_NAMESPACE") or "default",
        "playbook_proxy": reader.optional_url("PLAYBOOK_PROXY", ("http", "https")),
        "stripe_api_key": reader.optional_token("STRIPE_API_KEY", "rk_", "sk_"),
        "stripe_api_url": reader.url("STRIPE_API_URL", ("https", "http"), stripe.API_URL),
        "config": reader.path("RUNBOLT_CONFIG", "the YAML file with approvers and channels"),
        "pagerduty_token": reader.get("PAGERDUTY_TOKEN"),
        "pagerduty_api_url": reader.url("PAGERDUTY_API_URL", ("https", "http"), PAGERDUTY_API_URL),
        "environ": dict(environ),
    }
    reader.require_slack_transport()
    if reader.mistakes:
        raise UserError(
            "Nothing was started, because these environment variables are missing or invalid:\n"
            + "\n".join(f"  {mistake}" for mistake in reader.mistakes)
        )
    return Settings.model_validate(settings)


class _Reader:
    """Reads variables and collects all mistakes, so that people can correct them in one go."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.mistakes: list[str] = []

    def get(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def token(self, name: str, prefix: str, description: str) -> str:
        value = self.get(name)
        if value is None:
            self.mistakes.append(
                f"{name} is missing: set it to {description} (it starts with {prefix})."
            )
        elif not value.startswith(prefix):
            self.mistakes.append(f"{name} is not {description}: it must start with {prefix}.")
        return value or ""

    def optional_token(self, name: str, *prefixes: str) -> str | None:
        value = self.get(name)
        if value is not None and not value.startswith(prefixes):
            expected = " or ".join(prefixes)
            self.mistakes.append(f"{name} must start with {expected}: copy it again, or unset it.")
        return value

    def url(self, name: str, schemes: tuple[str, ...], default: str = "") -> str:
        value = self.get(name) or default
        if not value:
            self.mistakes.append(f"{name} is missing: set it to a {schemes[0]}:// URL.")
        else:
            self._check_url(name, value, schemes)
        return value

    def optional_url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        value = self.get(name)
        if value is not None:
            self._check_url(name, value, schemes)
        return value

    def _check_url(self, name: str, value: str, schemes: tuple[str, ...]) -> None:
        # The message never repeats the value, because it may be a password.
        try:
            parts = urlsplit(value)
            is_valid = parts.scheme in schemes and bool(parts.netloc or parts.path)
        except ValueError:
            is_valid = False
        if not is_valid:
            self.mistakes.append(f"{name} is not a {schemes[0]}:// URL: correct it.")

    def port(self, name: str, default: int) -> int:
        value = self.get(name) or str(default)
        if not value.isdecimal() or not 0 < int(value) < 65536:
            self.mistakes.append(f"{name} is {value}: set it to a number from 1 to 65535.")
            return default
        return int(value)

    def path(self, name: str, description: str) -> Path:
        value = self.get(name)
        if value is None:
            self.mistakes.append(f"{name} is missing: set it to the path of {description}.")
        elif not Path(value).exists():
            self.mistakes.append(
                f"{name} names {value}, which does not exist: set it to the path of {description}."
            )
        return Path(value or ".")

    def kubeconfig(self) -> Path | None:
        value = self.get("KUBECONFIG")
        if value is None and not IN_CLUSTER_TOKEN.exists():
            self.mistakes.append(
                "KUBECONFIG is missing and the bot does not run in a cluster: set it to the "
                "path of a kubeconfig file."
            )
        if value is not None and not Path(value).is_file():
            self.mistakes.append(
                f"KUBECONFIG names {value}, which does not exist: correct the path."
            )
        return None if value is None else Path(value)

    def require_slack_transport(self) -> None:
        if self.get("SLACK_APP_TOKEN") is None and self.get("SLACK_SIGNING_SECRET") is None:
            self.mistakes.append(
                "SLACK_APP_TOKEN and SLACK_SIGNING_SECRET are both missing: set the first for "
                "Socket Mode, or the second to receive requests over HTTP."
            )
