"""auth.*, users.*, usergroups.*, team.*, emoji.* and apps.*."""

from sandbox.slack.args import Args
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj, SlackError
from sandbox.slack.methods.conversations import page
from sandbox.slack.model import Group, User
from sandbox.slack.workspace import (
    APP_ID,
    BOT_ID,
    BOT_USER_ID,
    DOMAIN,
    TEAM_ID,
    TEAM_NAME,
    as_user,
)


def auth_test(core: Core, args: Args) -> Obj:
    """auth.test"""
    return {
        "url": f"https://{DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "team_id": TEAM_ID,
        "user": core.workspace.users[BOT_USER_ID].handle,
        "user_id": BOT_USER_ID,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "is_enterprise_install": False,
    }


def _as_user(core: Core, user: User) -> Obj:
    return as_user(user, email="users:read.email" in core.manifest.scopes)


def info(core: Core, args: Args) -> Obj:
    """users.info"""
    return {"user": _as_user(core, core.workspace.known_user(args.text("user")))}


def list_all(core: Core, args: Args) -> Obj:
    """users.list"""
    users, more = page(list(core.workspace.users.values()), args)
    return {"members": [_as_user(core, user) for user in users], **more}


def by_email(core: Core, args: Args) -> Obj:
    """users.lookupByEmail"""
    for user in core.workspace.users.values():
        if user.email == args.text("email") and user.kind != "bot" and not user.deactivated:
            return {"user": _as_user(core, user)}
    raise SlackError("users_not_found")


def _check_paid_plan(core: Core) -> None:
    if core.free_plan:
        raise SlackError("plan_upgrade_required")


def _group(group: Group, args: Args) -> Obj:
    shown: Obj = {
        "id": group.id,
        "team_id": TEAM_ID,
        "is_usergroup": True,
        "name": group.name,
        "description": "",
        "handle": group.handle,
        "is_external": False,
        "date_delete": 0,
        "prefs": {"channels": [], "groups": []},
    }
    if args.flag("include_count"):
        shown["user_count"] = len(group.members)
    if args.flag("include_users"):
        shown["users"] = list(group.members)
    return shown


def groups(core: Core, args: Args) -> Obj:
    """usergroups.list"""
    _check_paid_plan(core)
    return {"usergroups": [_group(group, args) for group in core.workspace.groups.values()]}


def group_members(core: Core, args: Args) -> Obj:
    """usergroups.users.list"""
    _check_paid_plan(core)
    group = core.workspace.groups.get(args.text("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.members)}


def team(core: Core, args: Args) -> Obj:
    """team.info"""
    plan = "free" if core.free_plan else "plus"
    shown = {"id": TEAM_ID, "name": TEAM_NAME, "domain": DOMAIN, "plan": plan}
    return {"team": {**shown, "email_domain": "", "url": f"https://{DOMAIN}.slack.com/"}}


def emoji(core: Core, args: Args) -> Obj:
    """emoji.list: the workspace has none of its own"""
    return {"emoji": {}, "cache_ts": "0"}


def connect(core: Core, args: Args) -> Obj:
    """apps.connections.open"""
    if not core.manifest.socket_mode:
        raise SlackError("access_denied")
    ticket = core.workspace.ids.secret(32)
    core.deliveries.sockets.admit(ticket)
    address = core.url.replace("http://", "ws://")
    return {"url": f"{address}/link/?ticket={ticket}&app_id={APP_ID}"}
