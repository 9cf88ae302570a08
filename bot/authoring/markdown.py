"""Parse a runbook in Markdown into sections, items and blocks of code."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import dedent

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode as Node


@dataclass
class CodeBlock:
    """A block of code, with the remarks (block quotes) below it."""

    language: str
    text: str
    remarks: list[str] = field(default_factory=list)


@dataclass
class Item:
    """An item of a list or a paragraph; `name` is the text in bold at its beginning."""

    text: str
    line: int
    name: str = ""
    link: str = ""
    code_blocks: list[CodeBlock] = field(default_factory=list)


@dataclass
class Section:
    """A heading with its content, down to the next heading of the same or a higher level."""

    title: str
    level: int
    line: int
    nodes: list[Node] = field(default_factory=list)
    sections: list["Section"] = field(default_factory=list)

    def find(self, pattern: str) -> "Section | None":
        """The first direct subsection whose title matches a pattern, in either case."""
        matching = (sub for sub in self.sections if re.search(pattern, sub.title, re.IGNORECASE))
        return next(matching, None)

    @property
    def code(self) -> str:
        """The first block of code, or an empty text."""
        code_blocks = [node.content for node in self.nodes if node.type == "fence"]
        return strip_code(code_blocks[0]) if code_blocks else ""

    @property
    def text(self) -> str:
        """The text of all paragraphs, one a line."""
        return "\n".join(plain_text(node) for node in self.nodes if node.type == "paragraph")


def read(text: str) -> Section:
    """Parse a document; the section returned is its root, which has no heading."""
    root = Section("", 0, 1)
    ancestors = [root]
    for node in Node(MarkdownIt("commonmark").enable("table").parse(text)).children:
        if node.type != "heading":
            ancestors[-1].nodes.append(node)
            continue
        section = Section(plain_text(node), int(node.tag[1:]), line(node))
        while ancestors[-1].level >= section.level:
            ancestors.pop()
        ancestors[-1].sections.append(section)
        ancestors.append(section)
    return root


def line(node: Node) -> int:
    """The line on which a node begins, counted from 1."""
    return node.map[0] + 1 if node.map else 1


def plain_text(node: Node) -> str:
    """The text of a node without emphasis; code keeps its backticks."""
    match node.type:
        case "text":
            return node.content
        case "code_inline":
            return f"`{node.content}`"
        case "softbreak" | "hardbreak":
            return " "
    return "".join(plain_text(child) for child in node.children).strip("\n")


def strip_code(code: str) -> str:
    """Code without its common indentation, trailing spaces, and blank lines at both ends."""
    lines = dedent(code).strip("\n").splitlines()
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def items(nodes: Sequence[Node]) -> list[Item]:
    """The items of lists and the paragraphs, each with the code and the remarks that follow it."""
    result: list[Item] = []
    for node in nodes:
        if node.type in ("bullet_list", "ordered_list"):
            for list_item in node.children:
                result += _list_items(list_item)
        elif node.type == "paragraph":
            result.append(_new_item(node))
        elif result:
            _attach(result[-1], node)
        elif node.type == "fence":
            result.append(Item("", line(node)))
            _attach(result[-1], node)
    return result


def _list_items(node: Node) -> list[Item]:
    """An item of a list, followed by the items of lists inside it."""
    first, *others = node.children or [node]
    result = [_new_item(first)]
    for other in others:
        if other.type in ("bullet_list", "ordered_list"):
            result += items([other])
        else:
            _attach(result[-1], other)
    return result


def _new_item(node: Node) -> Item:
    inline = node.children[0].children if node.children else []
    visible = [child for child in inline if plain_text(child).strip()]
    bold = plain_text(visible[0]) if visible and visible[0].type == "strong" else ""
    return Item(plain_text(node).strip().rstrip(":"), line(node), bold.strip().rstrip(":"))


def _attach(item: Item, node: Node) -> None:
    """Add a block of code, a remark, a link or more text to an item."""
    match node.type:
        case "fence" | "code_block":
            item.code_blocks.append(CodeBlock(node.info.strip(), strip_code(node.content)))
        case "blockquote" if item.code_blocks:
            item.code_blocks[-1].remarks.append(plain_text(node))
        case "blockquote":
            item.code_blocks.append(CodeBlock("", "", [plain_text(node)]))
        case "paragraph" if address := link(node):
            item.link = address
        case "paragraph":
            item.text = f"{item.text} {plain_text(node)}".strip()


def link(node: Node) -> str:
    """The URL of a paragraph that consists of one link, else an empty text."""
    inline = node.children[0].children if node.children else []
    if len(inline) == 1 and inline[0].type == "link":
        return str(inline[0].attrs.get("href", ""))
    return ""


def rows(nodes: Sequence[Node]) -> Iterator[list[str]]:
    """The rows of all tables, without their headers."""
    for table in nodes:
        if table.type == "table":
            for body in table.children[1:]:
                for row in body.children:
                    yield [plain_text(cell).strip() for cell in row.children]


def links(nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """The text and the URL of each link in the nodes, at any depth."""
    for node in nodes:
        for part in node.walk():
            if part.type == "link":
                yield plain_text(part), str(part.attrs.get("href", ""))
