"""views.*: modals and the App Home."""

from sandbox.slack import blocks, values, views
from sandbox.slack.args import Args
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj, SlackError
from sandbox.slack.model import Trigger, View
from sandbox.slack.workspace import identity

MAX_STACKED = 3


def prepare(core: Core, view: object, surface: str, own: View | None = None) -> Obj:
    """A validated copy of a view with a unique external_id; raises SlackError."""
    spec = views.prepare(view, surface, core.workspace.ids)
    external = spec.get("external_id")
    if external and any(
        other.spec.get("external_id") == external and other is not own
        for other in core.workspace.iter_views()
    ):
        raise SlackError("duplicate_external_id")
    return spec


def view_answer(view: View) -> Obj:
    """The answer that holds a view."""
    return {"view": views.as_view(view, identity())}


def _trigger(core: Core, args: Args) -> Trigger:
    trigger_id = args.text("trigger_id") or args.text("interactivity_pointer")
    return core.spend_trigger(trigger_id)


def put_on_top(core: Core, user: str, client: str, spec: Obj) -> View:
    """A new modal on top of the stack in somebody's client; raises SlackError."""
    stack = core.workspace.stack(user, client)
    if len(stack) >= MAX_STACKED:
        raise SlackError("push_limit_reached")
    view_id = core.workspace.ids.new("V")
    below = stack[-1] if stack else None
    view = View(
        view_id,
        user,
        spec,
        views.new_hash(core.workspace.ids),
        root_id=below.root_id if below else view_id,
        previous_id=below.id if below else None,
        filled=values.initial_state(spec["blocks"]),
        client=client,
    )
    core.workspace.stacks.setdefault(user, []).append(view)
    core.workspace.changed("views")
    return view


def open_modal(core: Core, args: Args) -> Obj:
    """views.open"""
    spec = prepare(core, args.data("view"), blocks.MODAL)
    trigger = _trigger(core, args)
    return view_answer(put_on_top(core, trigger.user, trigger.client, spec))


def push(core: Core, args: Args) -> Obj:
    """views.push"""
    spec = prepare(core, args.data("view"), blocks.MODAL)
    trigger = _trigger(core, args)
    if trigger.view_id is None or not core.workspace.stack(trigger.user, trigger.client):
        raise SlackError("not_found")
    return view_answer(put_on_top(core, trigger.user, trigger.client, spec))


def _find_view(core: Core, args: Args) -> View:
    for view in core.workspace.iter_views():
        by_id = args.has("view_id") and view.id == args.text("view_id")
        by_name = args.has("external_id") and view.spec.get("external_id") == args.text(
            "external_id"
        )
        if by_id or by_name:
            return view
    raise SlackError("not_found")


def update(core: Core, args: Args) -> Obj:
    """views.update"""
    view = _find_view(core, args)
    if args.has("hash") and args.text("hash") != view.hash:
        raise SlackError("hash_conflict")
    redraw(core, view, prepare(core, args.data("view"), view.spec["type"], view))
    return view_answer(view)


def redraw(core: Core, view: View, spec: Obj) -> None:
    """Replace a view's content; values of unchanged elements stay."""
    view.spec = spec
    view.hash = views.new_hash(core.workspace.ids)
    view.filled = values.carry_over(spec["blocks"], view.filled)
    core.workspace.changed("home" if spec["type"] == blocks.HOME else "views")


def publish(core: Core, args: Args) -> Obj:
    """views.publish"""
    if not core.manifest.home_tab:
        raise SlackError("not_enabled")
    user = core.workspace.known_user(args.text("user_id"))
    before = core.workspace.homes.get(user.id)
    if before is not None and args.has("hash") and args.text("hash") != before.hash:
        raise SlackError("hash_conflict")
    spec = prepare(core, args.data("view"), blocks.HOME, before)
    if before is not None:
        redraw(core, before, spec)
        return view_answer(before)
    view_id, new_hash = core.workspace.ids.new("V"), views.new_hash(core.workspace.ids)
    view = View(
        view_id,
        user.id,
        spec,
        new_hash,
        root_id=view_id,
        filled=values.initial_state(spec["blocks"]),
    )
    core.workspace.homes[user.id] = view
    core.workspace.changed("home")
    return view_answer(view)
