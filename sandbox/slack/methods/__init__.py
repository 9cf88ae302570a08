"""The Web API methods: scopes, rate limits, arguments and handlers."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.slack.args import Args
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj
from sandbox.slack.limits import POSTING, SPECIAL, TIER_1, TIER_2, TIER_3, TIER_4, Tier
from sandbox.slack.methods import chat, conversations, files, marks, people, views

Handler = Callable[[Core, Args], Obj]


@dataclass(frozen=True)
class Method:
    """One method; any one of its scopes is enough, and `!` marks a required argument."""

    scopes: tuple[str, ...]
    tier: Tier
    handler: Handler
    arguments: str = ""
    per_channel: bool = False

    @property
    def known(self) -> set[str]:
        """The arguments that it accepts."""
        return {name.rstrip("!") for name in self.arguments.split()}

    @property
    def required(self) -> set[str]:
        """The arguments that it requires."""
        return {name.rstrip("!") for name in self.arguments.split() if name.endswith("!")}


NONE: tuple[str, ...] = ()
WRITE = ("chat:write",)
MANAGE = ("channels:manage",)
READ = ("channels:read", "groups:read", "im:read", "mpim:read")
HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")
CONTENT = "text blocks attachments thread_ts"
UNFURL = "unfurl_links unfurl_media link_names parse mrkdwn"
PAGE = "cursor limit"
RANGE = "oldest latest inclusive include_all_metadata"
MARK = "channel! timestamp!"

METHODS: dict[str, Method] = {
    "apps.connections.open": Method(("connections:write",), TIER_1, people.connect),
    "auth.test": Method(NONE, SPECIAL, people.auth_test),
    "bookmarks.add": Method(
        ("bookmarks:write",),
        TIER_2,
        marks.add_bookmark,
        "channel_id! title! type! link emoji entity_id parent_id",
    ),
    "bookmarks.edit": Method(
        ("bookmarks:write",),
        TIER_2,
        marks.edit_bookmark,
        "channel_id! bookmark_id! title link emoji",
    ),
    "bookmarks.list": Method(("bookmarks:read",), TIER_3, marks.list_bookmarks, "channel_id!"),
    "bookmarks.remove": Method(
        ("bookmarks:write",), TIER_2, marks.remove_bookmark, "channel_id! bookmark_id!"
    ),
    "chat.delete": Method(WRITE, TIER_3, chat.delete, "channel! ts!"),
    "chat.getPermalink": Method(NONE, SPECIAL, chat.get_permalink, "channel! message_ts!"),
    "chat.postEphemeral": Method(
        WRITE, TIER_4, chat.post_ephemeral, f"channel! user! {CONTENT} link_names parse"
    ),
    "chat.postMessage": Method(
        WRITE,
        POSTING,
        chat.post_message,
        f"channel! {CONTENT} {UNFURL} metadata reply_broadcast",
        per_channel=True,
    ),
    "chat.update": Method(
        WRITE, TIER_3, chat.update, f"channel! ts! {CONTENT} {UNFURL} metadata file_ids"
    ),
    "conversations.archive": Method(MANAGE, TIER_2, conversations.archive, "channel!"),
    "conversations.create": Method(
        (*MANAGE, "groups:write"), TIER_2, conversations.create, "name! is_private"
    ),
    "conversations.history": Method(
        HISTORY, TIER_3, conversations.history, f"channel! {PAGE} {RANGE}"
    ),
    "conversations.info": Method(
        READ, TIER_3, conversations.info, "channel! include_locale include_num_members"
    ),
    "conversations.invite": Method(
        (*MANAGE, "channels:write.invites"), TIER_3, conversations.invite, "channel! users! force"
    ),
    "conversations.join": Method(("channels:join",), TIER_3, conversations.join, "channel!"),
    "conversations.kick": Method(MANAGE, TIER_3, conversations.kick, "channel! user!"),
    "conversations.leave": Method(MANAGE, TIER_3, conversations.leave, "channel!"),
    "conversations.list": Method(
        READ, TIER_2, conversations.list_all, f"{PAGE} types exclude_archived"
    ),
    "conversations.members": Method(READ, TIER_4, conversations.members, f"channel! {PAGE}"),
    "conversations.open": Method(
        ("im:write", "mpim:write"),
        TIER_3,
        conversations.open_direct,
        "users channel return_im prevent_creation",
    ),
    "conversations.rename": Method(MANAGE, TIER_2, conversations.rename, "channel! name!"),
    "conversations.replies": Method(
        HISTORY, TIER_3, conversations.replies, f"channel! ts! {PAGE} {RANGE}"
    ),
    "conversations.setPurpose": Method(
        (*MANAGE, "channels:write.topic"), TIER_2, conversations.set_purpose, "channel! purpose"
    ),
    "conversations.setTopic": Method(
        (*MANAGE, "channels:write.topic"), TIER_2, conversations.set_topic, "channel! topic"
    ),
    "conversations.unarchive": Method(MANAGE, TIER_2, conversations.unarchive, "channel!"),
    "emoji.list": Method(("emoji:read",), TIER_2, people.emoji, "include_categories"),
    "files.completeUploadExternal": Method(
        ("files:write",),
        TIER_4,
        files.complete_upload,
        "files! channel_id channels initial_comment thread_ts blocks",
    ),
    "files.delete": Method(("files:write",), TIER_3, files.delete, "file!"),
    "files.getUploadURLExternal": Method(
        ("files:write",), TIER_4, files.get_upload_url, "filename! length! alt_txt snippet_type"
    ),
    "files.info": Method(("files:read",), TIER_4, files.info, f"file! {PAGE} count page"),
    "pins.add": Method(("pins:write",), TIER_2, marks.add_pin, MARK),
    "pins.list": Method(("pins:read",), TIER_2, marks.list_pins, "channel!"),
    "pins.remove": Method(("pins:write",), TIER_2, marks.remove_pin, MARK),
    "reactions.add": Method(("reactions:write",), TIER_3, marks.add_reaction, f"{MARK} name!"),
    "reactions.get": Method(("reactions:read",), TIER_3, marks.get_reactions, f"{MARK} full"),
    "reactions.remove": Method(
        ("reactions:write",), TIER_2, marks.remove_reaction, f"{MARK} name!"
    ),
    "team.info": Method(("team:read",), TIER_3, people.team, "team domain"),
    "usergroups.list": Method(
        ("usergroups:read",),
        TIER_2,
        people.groups,
        "include_count include_disabled include_users",
    ),
    "usergroups.users.list": Method(
        ("usergroups:read",), TIER_2, people.group_members, "usergroup! include_disabled"
    ),
    "users.info": Method(("users:read",), TIER_4, people.info, "user! include_locale"),
    "users.list": Method(("users:read",), TIER_2, people.list_all, f"{PAGE} include_locale"),
    "users.lookupByEmail": Method(("users:read.email",), TIER_3, people.by_email, "email!"),
    "views.open": Method(NONE, TIER_4, views.open_modal, "view! trigger_id interactivity_pointer"),
    "views.publish": Method(NONE, TIER_4, views.publish, "user_id! view! hash"),
    "views.push": Method(NONE, TIER_4, views.push, "view! trigger_id interactivity_pointer"),
    "views.update": Method(NONE, TIER_4, views.update, "view! view_id external_id hash"),
}

# Slack knows these by the app's own token, and no other method.
BY_APP_TOKEN = {"apps.connections.open"}
