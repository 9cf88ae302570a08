"""Rich text: sections, lists, quotes and preformatted text, down to each leaf."""

from sandbox.slack.shapes import Check, flag, integer, items, one_of, shape, string, typed

_style = shape(
    {},
    {
        "bold": flag,
        "italic": flag,
        "strike": flag,
        "code": flag,
        "underline": flag,
        "highlight": flag,
        "client_highlight": flag,
        "unlink": flag,
    },
)
_styled: dict[str, Check] = {"style": _style}
_id = string(30, pattern=r"[A-Z0-9]+")

_LEAVES: dict[str, Check] = {
    "text": shape({"text": string(12_000)}, _styled),
    "link": shape({"url": string(3000)}, {**_styled, "text": string(3000), "unsafe": flag}),
    "user": shape({"user_id": _id}, _styled),
    "channel": shape({"channel_id": _id}, _styled),
    "usergroup": shape({"usergroup_id": _id}, _styled),
    "emoji": shape({"name": string(100)}, {**_styled, "unicode": string(100)}),
    "broadcast": shape({"range": one_of("here", "channel", "everyone")}, _styled),
    "color": shape({"value": string(9, pattern=r"#[0-9a-fA-F]{6}")}, _styled),
    "date": shape(
        {"timestamp": integer(0, 10**11), "format": string(200)},
        {**_styled, "url": string(3000), "fallback": string(200)},
    ),
}
_leaves = items(typed(_LEAVES, "rich text element"), 1000, least=0)
_section = shape({"elements": _leaves})

_PARTS: dict[str, Check] = {
    "rich_text_section": _section,
    "rich_text_preformatted": shape(
        {"elements": _leaves}, {"border": integer(0, 1), "language": string(100)}
    ),
    "rich_text_quote": shape({"elements": _leaves}, {"border": integer(0, 1)}),
    "rich_text_list": shape(
        {
            "style": one_of("bullet", "ordered"),
            "elements": items(typed({"rich_text_section": _section}, "list item"), 500),
        },
        {"indent": integer(0, 8), "offset": integer(0, 10_000), "border": integer(0, 1)},
    ),
}

block = shape({"elements": items(typed(_PARTS, "rich text part"), 200)}, {"block_id": string(255)})
