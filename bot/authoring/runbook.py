"""A Markdown document as headings, items and commands: what an import finds in a runbook."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from textwrap import dedent

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode as Node


@dataclass
class Fence:
    """A block of code, with the remarks under it."""

    language: str
    text: str
    remarks: list[str] = field(default_factory=list)


@dataclass
class Item:
    """One line of a list, and what belongs to it; `name` is how it begins in bold."""

    text: str
    line: int
    name: str = ""
    link: str = ""
    fences: list[Fence] = field(default_factory=list)


@dataclass
class Section:
    """What stands under one heading, down to the next of its kind."""

    title: str
    level: int
    line: int
    nodes: list[Node] = field(default_factory=list)
    sections: list["Section"] = field(default_factory=list)

    def find(self, pattern: str) -> "Section | None":
        """The first section of its own that is called so."""
        return next((one for one in self.sections if re.search(pattern, one.title, re.I)), None)

    @property
    def code(self) -> str:
        """Its first block of code."""
        fences = [one.content for one in self.nodes if one.type == "fence"]
        return plain(fences[0]) if fences else ""

    @property
    def words(self) -> str:
        """Its paragraphs."""
        return "\n".join(words(one) for one in self.nodes if one.type == "paragraph")


def read(text: str) -> Section:
    """The document; its top section has no heading of its own."""
    top = Section("", 0, 1)
    open_ = [top]
    for node in Node(MarkdownIt("commonmark").enable("table").parse(text)).children:
        if node.type != "heading":
            open_[-1].nodes.append(node)
            continue
        section = Section(words(node), int(node.tag[1:]), line(node))
        while open_[-1].level >= section.level:
            open_.pop()
        open_[-1].sections.append(section)
        open_.append(section)
    return top


def line(node: Node) -> int:
    """Where it begins, counted from 1."""
    return node.map[0] + 1 if node.map else 1


def words(node: Node) -> str:
    """The text without its emphasis; code keeps its backticks."""
    match node.type:
        case "text":
            return node.content
        case "code_inline":
            return f"`{node.content}`"
        case "softbreak" | "hardbreak":
            return " "
    return "".join(words(child) for child in node.children).strip("\n")


def plain(code: str) -> str:
    """Code without what it is indented by, and without spaces at the ends of lines."""
    return "\n".join(one.rstrip() for one in dedent(code).strip("\n").splitlines()).strip("\n")


def items(nodes: Sequence[Node]) -> list[Item]:
    """The lines of lists and the paragraphs, each with the code and the remarks that follow it."""
    found: list[Item] = []
    for node in nodes:
        if node.type in ("bullet_list", "ordered_list"):
            for one in node.children:
                found += _item(one)
        elif node.type == "paragraph":
            found.append(_begun(node))
        elif found:
            _add(found[-1], node)
        elif node.type == "fence":
            found.append(Item("", line(node)))
            _add(found[-1], node)
    return found


def _item(node: Node) -> list[Item]:
    first, *others = node.children or [node]
    found = [_begun(first)]
    for other in others:
        if other.type in ("bullet_list", "ordered_list"):
            found += items([other])
        else:
            _add(found[-1], other)
    return found


def _begun(node: Node) -> Item:
    inline = node.children[0].children if node.children else []
    shown = [one for one in inline if words(one).strip()]
    bold = words(shown[0]) if shown and shown[0].type == "strong" else ""
    return Item(words(node).strip().rstrip(":"), line(node), bold.strip().rstrip(":"))


def _add(item: Item, node: Node) -> None:
    match node.type:
        case "fence" | "code_block":
            item.fences.append(Fence(node.info.strip(), plain(node.content)))
        case "blockquote" if item.fences:
            item.fences[-1].remarks.append(words(node))
        case "blockquote":
            item.fences.append(Fence("", "", [words(node)]))
        case "paragraph" if address := link(node):
            item.link = address
        case "paragraph":
            item.text = f"{item.text} {words(node)}".strip()


def link(node: Node) -> str:
    """Where a paragraph leads that is nothing but a link, or an empty text."""
    inline = node.children[0].children if node.children else []
    if len(inline) == 1 and inline[0].type == "link":
        return str(inline[0].attrs.get("href", ""))
    return ""


def rows(nodes: Sequence[Node]) -> Iterator[list[str]]:
    """The rows of tables, without their heads."""
    for table in nodes:
        if table.type == "table":
            for body in table.children[1:]:
                for row in body.children:
                    yield [words(cell).strip() for cell in row.children]


def links(nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """The links of lists: what each says and where it leads."""
    for node in nodes:
        for one in node.walk():
            if one.type == "link":
                yield words(one), str(one.attrs.get("href", ""))
