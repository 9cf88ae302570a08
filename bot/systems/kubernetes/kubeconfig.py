"""The file that says which clusters there are, and who the bot is in each."""

from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.kube_config import ConfigNode, KubeConfigLoader

# Each is a list of names, and what each name stands for has its own key.
LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}


def read(path: Path) -> ConfigNode:
    """The file, with its lists checked. Raises ConfigException, which repeats nothing of it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigException("there is no such file") from error
    except OSError as error:
        raise ConfigException(error.strerror or type(error).__name__) from error
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigException(f"it is no YAML{_line(error)}") from error
    _check(content)
    # A path in the file begins at its folder.
    return ConfigNode(str(path), content, str(path))  # type: ignore[no-untyped-call]


def contexts(config: ConfigNode) -> tuple[str, ...]:
    """The names of the contexts, in the order of the file."""
    return tuple(context["name"] for context in config.value.get("contexts") or [])


def current(config: ConfigNode) -> str:
    """The name of the current context, or "" where the file names none."""
    return config.value.get("current-context") or ""


def server(config: ConfigNode, context: str) -> str:
    """The URL of a context's API server. Raises ConfigException where the file has none."""
    loader: Any = KubeConfigLoader(config, context)  # type: ignore[no-untyped-call]
    return str(loader._cluster["server"]).rstrip("/")


def _line(error: Exception) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return "" if mark is None else f" (line {mark.line + 1})"


def _check(content: Any) -> None:
    """Raises ConfigException where the library would fail with a defect of its own."""
    if not isinstance(content, dict):
        raise ConfigException("it is no kubeconfig")
    if not isinstance(content.get("current-context") or "", str):
        raise ConfigException("its current-context is no name")
    for key, part in LISTS.items():
        entries = content.get(key) or []
        if not isinstance(entries, list) or not all(_is_named(entry, part) for entry in entries):
            raise ConfigException(f"its {key} are no list of names, each with its {part}")


def _is_named(entry: Any, part: str) -> bool:
    has_name = isinstance(entry, dict) and isinstance(entry.get("name"), str)
    return has_name and isinstance(entry.get(part) or {}, dict)
