"""Lines on a terminal: inert, wrapped under their own beginning, in what its encoding can show."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from stackdoctor.report.hostile import plain

__all__ = ["Page"]

_FALLBACK = {"…": "...", "→": "->", "–": "-", "×": "x", "·": "-", "│": "|"}
_LEAST_ROOM = 20


@dataclass(frozen=True)
class Page:
    """The console, and how wide prose may get; nothing gets onto it but through ``text``."""

    console: Console
    prose: int = 100

    def text(self, text: str, style: str = "") -> Text:
        """One line made inert and encodable; rich's markup in it stays as it is written."""
        return Text().append(_encodable(plain(text), self.console.encoding), style)

    def blank(self) -> None:
        """An empty line."""
        self.console.print()

    def exact(self, body: Text, indent: int) -> None:
        """``body`` without a line end inside, however long: for what is copied from the screen."""
        self.console.print(Text(" " * indent) + body, soft_wrap=True)

    def write(self, body: Text, indent: int = 0, head: Text | None = None, hang: int = 0, prose: bool = True) -> None:
        """``body`` wrapped, its further lines under its first, or ``hang`` columns more to the right."""
        head = head or Text()
        width = min(self.console.width, self.prose) if prose else self.console.width
        if head and width - indent - head.cell_len < _LEAST_ROOM:
            self.write(head, indent, prose=prose)
            head, indent = Text(), indent + 2
        under = Text(" " * (indent + head.cell_len + hang))
        room = max(width - under.cell_len, 1)
        for place, line in enumerate(body.wrap(self.console, room, overflow="fold")):
            line.rstrip()
            self.console.print((under if place else Text(" " * indent) + head) + line, soft_wrap=True)

    def quote(self, body: Text, indent: int) -> None:
        """``body`` over the whole width, with a bar before each of its lines: somebody else's words."""
        bar = Text(" " * indent) + self.text("│ ", "dim")
        for line in body.wrap(self.console, max(self.console.width - bar.cell_len, 1), overflow="fold"):
            line.rstrip()
            self.console.print(bar + line, soft_wrap=True)


def _encodable(text: str, encoding: str) -> str:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_FALLBACK.get(c, c).encode(encoding, "backslashreplace").decode(encoding) for c in text)
    return text
