"""The pages of the documentation, taken apart: headings, tables, links and blocks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>.+?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
_HEADING = re.compile(r"^(#+) (.+)$", re.M)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Block(msgspec.Struct, frozen=True):
    """A fenced block. ``note`` is the comment right above it; ``follows``: so is another block."""

    page: Path
    line: int
    language: str
    text: str
    note: str
    follows: bool

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def file(self) -> str:
        """The file that a note ``file: NAME`` names, or nothing."""
        return self.note.removeprefix("file: ") if self.note.startswith("file: ") else ""


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in _BLOCK.finditer(source):
        line = source.count("\n", 0, match.start("language")) + 1
        follows = bool(found) and not source[end : match.start()].strip()
        note = match["note"] or ""
        found.append(Block(page, line, match["language"], match["text"], note, follows))
        end = match.end()
    return found


def prose(page: Path) -> str:
    """The page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    source = prose(page)
    headings = list(_HEADING.finditer(source))
    for match, following in zip(headings, [*headings[1:], None], strict=True):
        if match[2] == heading:
            return source[match.end() : following.start() if following else None]
    raise AssertionError(f"{page.name} has no heading {heading!r}")


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows of a text; a table's head and its rule are none."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = {i for i, line in enumerate(lines) if set(line) <= set("|- ")}
    heads = {i - 1 for i in rules}
    return [_cells(line) for i, line in enumerate(lines) if i not in rules | heads]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def words(cell: str) -> list[str]:
    """The words of a cell that are marked as code."""
    return re.findall(r"`([^`]+)`", cell)


def anchors(page: Path) -> set[str]:
    """The names that a link to one of the page's headings may end in."""
    return {_slug(match[2]) for match in _HEADING.finditer(prose(page))}


def links(page: Path) -> Iterator[str]:
    """Where the page's links lead."""
    yield from _LINK.findall(prose(page))


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
