"""The manifest is exactly what the code needs, and everything that can be pressed is answered."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from bot import views
from bot.views import action_ids
from commands import routes

ROOT = Path(__file__).parent.parent
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "app-manifest.yml").read_text())

# Which scope each method of the Web API needs, from Slack's reference pages.
SCOPES = {
    "apps_connections_open": set(),  # by the app-level token
    "auth_test": set(),
    "bookmarks_add": {"bookmarks:write"},
    "chat_delete": {"chat:write"},
    "chat_getPermalink": set(),
    "chat_postEphemeral": {"chat:write"},
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_create": {"channels:manage"},
    "conversations_history": {"channels:history"},
    "conversations_info": {"channels:read"},
    "conversations_invite": {"channels:manage"},
    "conversations_join": {"channels:join"},
    "conversations_list": {"channels:read"},
    "conversations_members": {"channels:read"},
    "conversations_replies": {"channels:history"},
    "conversations_setTopic": {"channels:manage"},
    "files_upload_v2": {"files:write"},
    "pins_add": {"pins:write"},
    "usergroups_list": {"usergroups:read"},
    "users_info": {"users:read"},
    "users_list": {"users:read"},
    "users_lookupByEmail": {"users:read.email"},
    "views_open": set(),
    "views_publish": set(),
    "views_update": set(),
}
EVENT_SCOPES = {
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "reaction_added": {"reactions:read"},
}


def called_methods() -> set[str]:
    """Every Web API method that the code calls."""
    code = "\n".join(
        file.read_text() for room in ("bot", "commands") for file in (ROOT / room).rglob("*.py")
    )
    return set(re.findall(r"(?:slack|client)\.((?:[a-z]+_)+[a-zA-Z0-9_]+)\b", code)) & (
        set(SCOPES) | set(_web_api())
    )


def _web_api() -> list[str]:
    from slack_sdk.web.async_client import AsyncWebClient

    return [name for name in dir(AsyncWebClient) if "_" in name.strip("_")]


def test_manifest_fits_slack_schema() -> None:
    schema = json.loads((ROOT / "tests" / "slack-manifest.schema.2.0.0.json").read_text())
    jsonschema.validate(MANIFEST, schema)


def test_scopes_are_exactly_those_needed() -> None:
    needed = {"commands"}
    for method in called_methods():
        needed |= SCOPES[method]
    for event in routes.EVENTS:
        needed |= EVENT_SCOPES[event]

    assert sorted(MANIFEST["oauth_config"]["scopes"]["bot"]) == sorted(needed)


def test_manifest_lists_what_code_answers() -> None:
    features, settings = MANIFEST["features"], MANIFEST["settings"]
    assert [command["command"] for command in features["slash_commands"]] == [routes.COMMAND]
    assert {shortcut["callback_id"] for shortcut in features["shortcuts"]} == set(routes.SHORTCUTS)
    assert set(settings["event_subscriptions"]["bot_events"]) == set(routes.EVENTS)
    assert settings["interactivity"]["is_enabled"] is True


def test_every_button_press_is_answered() -> None:
    ids = {
        value
        for name, value in vars(action_ids).items()
        if name.isupper() and isinstance(value, str)
    }
    forms = {value for value in ids if value.startswith("form.")}
    shortcuts = {value for value in ids if value.startswith("shortcut.")}
    pressed = (
        ids - forms - shortcuts - {action_ids.SNOOZE, action_ids.TAKE_SERVICE, action_ids.OPEN_LINK}
    )

    rows = {*action_ids.SNOOZES, *action_ids.TAKEN_SERVICES}
    assert pressed | rows == set(routes.BLOCK_ACTIONS)
    assert shortcuts == set(routes.SHORTCUTS)
    assert forms == set(routes.FORMS)


def test_used_templates_are_those_that_exist() -> None:
    code = "\n".join(file.read_text() for file in (ROOT / "bot").rglob("*.py"))
    words = "\n".join(file.read_text() for file in (ROOT / "templates").rglob("*.j2"))
    used = set(re.findall(r"(?:render\w*|plain)\(\s*[\"']([a-z_]+)", code))
    used |= set(re.findall(r"{%-? include \"(\w+)\"", words))
    there = {file.name.removesuffix(".j2") for file in (files("templates") / "messages").iterdir()}
    assert used == there
    assert views.text.render("help", several=True)
