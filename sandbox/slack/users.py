"""What users do in Slack's client, and what the client refuses."""

from dataclasses import dataclass
from typing import Any

from sandbox.slack import payloads, render, responses, values
from sandbox.slack.blocks import interactive_elements, iter_blocks
from sandbox.slack.core import Core
from sandbox.slack.deliveries import Delivery
from sandbox.slack.elements import all_options
from sandbox.slack.errors import Obj, Refusal, SlackError
from sandbox.slack.methods.marks import take_back
from sandbox.slack.model import Channel, Message, User, View
from sandbox.slack.submitting import submit
from sandbox.slack.suggestions import Suggestions, find
from sandbox.slack.typed_text import TypedText
from sandbox.slack.values import Values
from sandbox.slack.views import as_view
from sandbox.slack.workspace import BOT_USER_ID, identity


@dataclass(frozen=True)
class Press:
    """A press of an element in a message or a view, with the chosen value."""

    action_id: str
    channel: str | None = None
    ts: str | None = None
    view_id: str | None = None
    block_id: str | None = None
    value: Any = None
    values: Values | None = None
    client: str | None = None


class Users:
    """The clients of all users in the workspace."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.workspace = core.workspace
        self.typed_text = TypedText(core.workspace)
        self.suggestions = Suggestions(core)

    def human(self, name: str) -> User:
        """A user who is not a bot; raises Refusal."""
        user = self.workspace.user(name)
        if user.kind == "bot":
            raise Refusal(f"{user.handle} is an app; only people use the client.")
        return user

    def readable_channel(self, user: User, name: str) -> Channel:
        """A channel that a user may read; the app's handle means the direct messages with it."""
        if name == self.workspace.users[BOT_USER_ID].handle:
            return self.workspace.im(user)
        channel = self.workspace.channel(name)
        if user.id not in channel.members and (channel.private or channel.im_with):
            raise Refusal(f"There is no channel {name}.")
        return channel

    def _writable_channel(self, user: User, name: str) -> Channel:
        """A channel that a user may write to; raises Refusal."""
        channel = self.readable_channel(user, name)
        if channel.archived:
            raise Refusal(f"#{channel.name} is archived: nobody can write there any more.")
        if channel.im_with and not self.core.manifest.can_be_written_to:
            raise Refusal("Sending messages to this app has been turned off.")
        if user.id not in channel.members:
            raise Refusal(f"{user.handle} is not in #{channel.name}: join it first.")
        return channel

    def join(self, name: str, channel_name: str) -> None:
        """Join a public channel."""
        user = self.human(name)
        channel = self.readable_channel(user, channel_name)
        if user.kind in ("guest", "single_channel_guest", "stranger"):
            raise Refusal(f"Guests cannot join #{channel.name} by themselves.")
        if user.id not in channel.members:
            self.core.join(channel, user.id)

    # Messages and commands.

    async def say(
        self, name: str, text: str, channel_name: str, thread_ts: str = "", client: str = ""
    ) -> Delivery:
        """Send a message or a slash command; raises Refusal."""
        user = self.human(name)
        channel = self._writable_channel(user, channel_name)
        if not text.strip():
            raise Refusal("There is nothing to send.")
        if text.startswith("/"):
            return await self._command(user, channel, text, thread_ts, client)
        if thread_ts:
            root = self.workspace.message(channel, thread_ts)
            thread_ts = root.thread_ts or root.ts
        words = self.typed_text.message(text)
        message = Message(self.workspace.ids.ts(), channel.id, user.id, words, thread_ts=thread_ts)
        self.workspace.post(message)
        return await self._deliver_message(channel, message)

    async def _deliver_message(self, channel: Channel, message: Message) -> Delivery:
        event = self.core.message_event(message)
        sent = await self.core.event(self.core.message_event_name(message), event, channel)
        if f"<@{BOT_USER_ID}>" in message.text and not channel.im_with:
            event = {**event, "type": "app_mention"}
            event.pop("channel_type")
            sent = await self.core.event("app_mention", event, channel) or sent
        return sent or Delivery("events_api", {})

    async def _command(
        self, user: User, channel: Channel, text: str, thread_ts: str, client: str
    ) -> Delivery:
        name, _, rest = text.partition(" ")
        manifest = self.core.manifest
        declared = manifest.commands.get(name)
        if declared is None or "commands" not in manifest.scopes:
            raise Refusal(
                f"{name} is not a valid command. In Slack, all messages that start with "
                'the "/" character are interpreted as commands.'
            )
        if thread_ts:
            raise Refusal(f"{name} is not supported in threads. Sorry!")
        escape = bool(declared.get("should_escape"))
        words = self.typed_text.command(rest.strip(), escape=escape)
        payload = payloads.command(self.core, user, channel, name, words, client)
        delivery = await self.core.deliveries.deliver("slash_commands", payload)
        self._show_answer(delivery, user, channel, name)
        return delivery

    def _show_answer(self, delivery: Delivery, user: User, channel: Channel, name: str) -> None:
        if delivery.ok and delivery.answer:
            answer = delivery.answer
            answer = {"text": answer} if isinstance(answer, str) else answer
            try:
                responses.post_answer(self.core, channel, user.id, answer)
            except SlackError as refused:
                delivery.error = refused.code
        if not delivery.ok:
            self._show_error(user, channel, name, delivery)

    def _show_error(self, user: User, channel: Channel, subject: str, delivery: Delivery) -> None:
        text = f'{subject} failed with the error "{delivery.error}"'
        self.workspace.post_as_slackbot(channel, user.id, text)

    # Presses.

    async def press(self, name: str, press: Press) -> Delivery:
        """Press or choose something in a message or in a view; raises Refusal."""
        user = self.human(name)
        if not self.core.manifest.interactive:
            raise Refusal("This app is not configured to handle interactive responses.")
        if press.view_id is not None:
            return await self._press_in_view(user, press)
        if press.channel is None:
            raise Refusal("Say where: a channel and the ts of a message, or a view_id.")
        return await self._press_in_message(user, press)

    async def _press_in_message(self, user: User, press: Press) -> Delivery:
        channel = self.readable_channel(user, press.channel or "")
        message = self._pressed_message(user, channel, press)
        blocks = self.suggestions.apply(message.blocks, f"{user.id}/{channel.id}/{message.ts}")
        element, block_id = _find_element(blocks, press)
        chosen = self._choice(element, press)
        state = values.fill_in(
            blocks, values.initial_state(blocks), press.values or {}, self._resolve
        )
        if values.is_filled(element):
            state[block_id][element["action_id"]] = chosen
        action = payloads.action(self.core, block_id, element, chosen)
        payload = payloads.message_press(
            self.core, user, channel, message, action, state, press.client or ""
        )
        delivery = await self.core.deliveries.deliver("interactive", payload)
        if not delivery.ok:
            self._show_error(user, channel, self.core.manifest.name, delivery)
        return delivery

    def _pressed_message(self, user: User, channel: Channel, press: Press) -> Message:
        """The message meant: by its ts, or else the newest that has such an element.

        Slack tells the app what was pressed as the person saw it; that the message was drawn
        anew meanwhile is the app's to notice.
        """
        drawings = [
            drawing
            for message in channel.messages
            if message.bot and message.ephemeral_to in ("", user.id)
            if press.ts in (None, message.ts)
            for drawing in (*(message.before if press.ts else ()), message)
        ]
        fitting = [
            drawing for drawing in reversed(drawings) if _matching_elements(drawing.blocks, press)
        ]
        if fitting:
            offering = (drawing for drawing in fitting if _offers_choice(drawing.blocks, press))
            return next(offering, fitting[0])
        channel_name = f"the message {press.ts}" if press.ts else f"#{channel.name}"
        raise Refusal(f"There is no {press.action_id} to press in {channel_name}.")

    async def _press_in_view(self, user: User, press: Press) -> Delivery:
        view = self._view(user, press.view_id or "")
        element, block_id = _find_element(self._blocks(view), press)
        if press.values:
            view.filled = self._filled(view, press.values)
        chosen = self._choice(element, press)
        if values.is_filled(element):
            view.filled.setdefault(block_id, {})[element["action_id"]] = chosen
            if not _dispatches(view.spec["blocks"], block_id):
                raise Refusal(
                    f"The app does not hear of {press.action_id} before the form is sent."
                )
        action = payloads.action(self.core, block_id, element, chosen)
        payload = payloads.view_press(self.core, user, view, action, press.client or "")
        return await self.core.deliveries.deliver("interactive", payload)

    async def suggest(self, name: str, press: Press, typed: str) -> list[Obj]:
        """Type in a select whose options the app looks up; raises Refusal."""
        user = self.human(name)
        if press.view_id is not None:
            view = self._view(user, press.view_id)
            element, block_id = find(view.spec["blocks"], press.action_id, press.block_id)
            place, where = f"{user.id}/{view.id}", payloads.in_view(view)
        else:
            channel = self.readable_channel(user, press.channel or "")
            message = self._pressed_message(user, channel, press)
            element, block_id = find(message.blocks, press.action_id, press.block_id)
            place = f"{user.id}/{channel.id}/{message.ts}"
            where = payloads.in_message(self.core, channel, message)
        return await self.suggestions.ask(user, place, block_id, element, typed, where)

    def _choice(self, element: Obj, press: Press) -> Obj:
        if element["type"] == "feedback_buttons":
            return {"value": _feedback_value(element, press.value)}
        if element["type"] not in values.KEYS:
            return {}
        if element["type"] == "overflow" and press.value is None:
            raise Refusal(f"Say what is chosen in {press.action_id}, as value.")
        return values.chosen_state(element, press.value, self._resolve)

    def _resolve(self, kind: str, name: str) -> str:
        """The id of a user or channel that may be given by name."""
        if "user" in kind:
            return self.workspace.user(name).id
        if "conversation" in kind and name in self.workspace.users:
            return name
        return self.workspace.channel(name).id

    # Views.

    def _view(self, user: User, view_id: str) -> View:
        view = self.workspace.view(view_id)
        if view is None or view.user != user.id:
            raise Refusal(f"{user.real_name} has no view {view_id} open.")
        stack = self.workspace.stack(user.id, view.client)
        if view in stack and view is not stack[-1]:
            raise Refusal("Another view lies on top of this one.")
        return view

    def _filled(self, view: View, entered: Values) -> dict[str, Obj]:
        return values.fill_in(self._blocks(view), view.filled, entered, self._resolve)

    def _blocks(self, view: View) -> list[Obj]:
        """The view's blocks, in which each search offers what the app has offered."""
        return self.suggestions.apply(view.spec["blocks"], f"{view.user}/{view.id}")

    async def submit(self, name: str, view_id: str, entered: Values) -> Delivery:
        """Send a form; raises Refusal with `errors` when the client or the app refuses a field."""
        user = self.human(name)
        view = self._view(user, view_id)
        if view.spec["type"] != "modal" or "submit" not in view.spec:
            raise Refusal("This view cannot be submitted.")
        if view.spec.get("submit_disabled"):
            raise Refusal("The submit button is disabled.")
        filled = self._filled(view, entered)
        if errors := values.problems(view.spec["blocks"], filled):
            raise Refusal("Some fields are not filled in as they should be.", errors)
        view.filled = filled
        return await submit(self.core, user, view)

    async def close(self, name: str, view_id: str) -> Delivery | None:
        """Close the modal on top; the one below comes back."""
        user = self.human(name)
        view = self._view(user, view_id)
        stack = self.workspace.stack(user.id, view.client)
        if view not in stack:
            raise Refusal("This view cannot be closed.")
        cleared = bool(view.spec.get("clear_on_close"))
        closed = stack if cleared else [view]
        self.workspace.close(closed)
        return await self._deliver_closing(
            user, [view for view in closed if view.spec.get("notify_on_close")], cleared
        )

    async def _deliver_closing(
        self, user: User, closed: list[View], cleared: bool
    ) -> Delivery | None:
        delivery = None
        for view in reversed(closed):
            payload = payloads.closed(self.core, user, view, cleared=cleared)
            delivery = await self.core.deliveries.deliver("interactive", payload)
        return delivery

    # All the rest.

    async def shortcut(
        self,
        name: str,
        callback_id: str,
        channel_name: str | None = None,
        ts: str | None = None,
        client: str = "",
    ) -> Delivery:
        """Use a shortcut, on a message or from anywhere."""
        user = self.human(name)
        kind = "message" if ts else "global"
        declared = [
            shortcut
            for shortcut in self.core.manifest.shortcuts
            if shortcut["callback_id"] == callback_id
        ]
        allowed = "commands" in self.core.manifest.scopes
        if not allowed or not declared or declared[0]["type"] != kind:
            raise Refusal(f"There is no {kind} shortcut {callback_id}.")
        if ts is None:
            payload = payloads.global_shortcut(self.core, user, callback_id, client)
            return await self.core.deliveries.deliver("interactive", payload)
        channel = self.readable_channel(user, channel_name or "")
        message = self.workspace.message(channel, ts)
        if message.ephemeral_to:
            raise Refusal("An ephemeral message has no shortcuts.")
        payload = payloads.message_shortcut(self.core, user, callback_id, channel, message, client)
        delivery = await self.core.deliveries.deliver("interactive", payload)
        if not delivery.ok:
            self._show_error(user, channel, str(declared[0]["name"]), delivery)
        return delivery

    async def react(self, name: str, emoji: str, channel_name: str, ts: str) -> Delivery:
        """Put an emoji on a message, or take it back."""
        user = self.human(name)
        channel = self._writable_channel(user, channel_name)
        message = self.workspace.message(channel, ts)
        if message.ephemeral_to:
            raise Refusal("Nobody can react to an ephemeral message.")
        emoji = emoji.strip(":")
        already = user.id in message.reactions.get(emoji, [])
        if already:
            take_back(message, emoji, user.id)
        else:
            message.reactions.setdefault(emoji, []).append(user.id)
        self.workspace.changed("messages", channel.id)
        kind = "reaction_removed" if already else "reaction_added"
        event = {
            "type": kind,
            "user": user.id,
            "reaction": emoji,
            "item_user": message.user,
            "item": {"type": "message", "channel": channel.id, "ts": message.ts},
        }
        return await self.core.event(kind, event, channel) or Delivery("events_api", {})

    async def open_home(self, name: str) -> Delivery:
        """Open the app's Home."""
        user = self.human(name)
        if not self.core.manifest.home_tab:
            raise Refusal("This app has no Home.")
        channel = self.workspace.im(user)
        event: Obj = {
            "type": "app_home_opened",
            "user": user.id,
            "channel": channel.id,
            "tab": "home",
        }
        home = self.workspace.homes.get(user.id)
        if home is not None:
            event["view"] = as_view(home, identity())
        return await self.core.event("app_home_opened", event) or Delivery("events_api", {})

    def reload(self, name: str, client: str = "") -> None:
        """Load the client anew: ephemeral messages are gone, and forms unless it has a name."""
        user = self.human(name)
        if not client:
            self.workspace.close(self.workspace.stack(user.id, client))
        for channel in self.workspace.channels.values():
            channel.messages[:] = [
                message for message in channel.messages if message.ephemeral_to != user.id
            ]
        self.workspace.changed("messages")

    def messages(self, channel_name: str, name: str | None) -> list[Obj]:
        """The messages that a user sees in a channel."""
        if name is None:
            return render.visible_messages(
                self.workspace, self.workspace.channel(channel_name), None
            )
        user = self.workspace.user(name)
        return render.visible_messages(
            self.workspace, self.readable_channel(user, channel_name), user.id
        )


def _matching_elements(blocks: list[Obj], press: Press) -> list[tuple[Obj, str]]:
    """The elements with the action_id; buttons are told apart by their value."""
    matches = [
        (element, block["block_id"])
        for block in iter_blocks(blocks)
        if press.block_id in (None, block["block_id"])
        for element in interactive_elements(block)
        if element["action_id"] == press.action_id
    ]
    if press.value is None:
        return matches
    return [
        (element, block_id)
        for element, block_id in matches
        if element["type"] != "button" or element.get("value") == press.value
    ]


def _offers_choice(blocks: list[Obj], press: Press) -> bool:
    """Whether the chosen values are among the element's options, if it has any."""
    wanted = press.value if isinstance(press.value, list) else [press.value]
    element, _ = _matching_elements(blocks, press)[0]
    offered = [option["value"] for option in all_options(element)]
    return not offered or all(choice in offered for choice in wanted)


def _find_element(blocks: list[Obj], press: Press) -> tuple[Obj, str]:
    matches = _matching_elements(blocks, press)
    if not matches:
        with_value = "" if press.value is None else f" with the value {press.value}"
        raise Refusal(f"There is nothing with the action_id {press.action_id}{with_value}.")
    if len(matches) > 1:
        raise Refusal(
            f"Several elements are called {press.action_id}: say which block_id or value."
        )
    return matches[0]


def _feedback_value(element: Obj, value: Any) -> str:
    offered = [element[name]["value"] for name in ("positive_button", "negative_button")]
    if value not in offered:
        raise Refusal(f"{element['action_id']} offers only: {', '.join(offered)}.")
    return str(value)


def _dispatches(blocks: list[Obj], block_id: str) -> bool:
    """Whether a change is sent at once: inputs wait for the submission by default."""
    block = next(
        candidate for candidate in iter_blocks(blocks) if candidate["block_id"] == block_id
    )
    return block["type"] != "input" or bool(block.get("dispatch_action"))
