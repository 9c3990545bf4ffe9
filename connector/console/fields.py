"""The kinds of columns that the console's lists have. Each is a field of starlette-admin that writes its own cells.

A cell is a function, not a template: a list has hundreds of them, and a template for each took most of a page's
time. Whatever comes from a row is escaped there; in exports a value leaves as plain text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import escape as escape_text
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette_admin.fields import BaseField

from connector.console.redaction import masked_text

__all__ = [
    "NOTHING",
    "Column",
    "IdColumn",
    "LinkColumn",
    "MomentColumn",
    "NumberColumn",
    "ReasonColumn",
    "StateColumn",
    "TextColumn",
    "WordsColumn",
    "escape",
]

_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def escape(value: object) -> str:
    """For HTML and its attributes. A list has some eight hundred of them: a plain text costs a third of a Markup."""
    return escape_text(str(value))


Word = Callable[[str, object], str]  # group and name to the word in the viewer's language
NOTHING = Markup('<span class="none">–</span>')


@dataclass
class Column(BaseField):
    """A column: `plain` makes the value that may be shown, `cell` its HTML."""

    def plain(self, value: Any) -> Any:
        """The value as it may be shown and exported."""
        return str(value)

    def cell(self, data: Any, row: Any, word: Word) -> str:
        """HTML of a plain value. `row` is the row it stands in."""
        return escape(data)

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """As starlette-admin asks for it."""
        return self.plain(value)


@dataclass
class TextColumn(Column):
    """Any text, masked by shape: whatever a store wrote into it, no e-mail address is shown."""

    def plain(self, value: Any) -> str:
        """Without what gives people away."""
        return masked_text(str(value))


@dataclass
class ReasonColumn(TextColumn):
    """A reason's word: said in the viewer's language, with the word itself on hover."""

    def cell(self, data: Any, row: Any, word: Word) -> str:
        """What the word means."""
        return f'<span class="reason" title="{escape(data)}">{escape(word("reason", data))}</span>'


@dataclass
class MomentColumn(Column):
    """A time, shown in the viewer's zone with UTC on hover."""

    def plain(self, value: datetime) -> str:
        """ISO 8601 in UTC."""
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def cell(self, data: str, row: Any, word: Word) -> str:
        """A script puts it into the viewer's zone."""
        utc = f"{data[:10]} {data[11:19]} UTC"
        return f'<time datetime="{data}" title="{utc}" data-moment>{utc}</time>'


@dataclass
class StateColumn(Column):
    """A state word, as a badge."""

    def cell(self, data: str, row: Any, word: Word) -> str:
        """The word in the viewer's language."""
        return f'<span class="badge state state-{escape(data)}">{escape(word("state", data))}</span>'


@dataclass
class WordsColumn(TextColumn):
    """Words joined by commas, such as match keys."""

    def cell(self, data: str, row: Any, word: Word) -> str:
        """A badge for each."""
        badges = (f'<span class="badge key">{escape(word("key", name))}</span>' for name in data.split(",") if name)
        return f'<span class="words">{"".join(badges)}</span>'


@dataclass
class NumberColumn(Column):
    """A number, aligned to the right."""

    def plain(self, value: Any) -> Any:
        """Money keeps its digits, yes and no are words."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return format(value, "f") if isinstance(value, Decimal) else value

    def cell(self, data: Any, row: Any, word: Word) -> str:
        """Aligned by its class."""
        return f'<span class="num">{escape(data)}</span>'


@dataclass
class LinkColumn(Column):
    """A value that leads somewhere; `address` makes the path from the row, None for no link.

    Numbers of ours or of the store are never masked: long ones would look like a phone number.
    """

    address: Callable[[Any], str | None] = lambda row: None

    def cell(self, data: str, row: Any, word: Word) -> str:
        """Of a long number the end, the whole on hover."""
        shown = f"…{data[-7:]}" if len(data) > 12 and data.isdigit() else data
        hover = f' title="{escape(data)}"' if shown != data else ""
        address = self.address(row)
        return f'<a href="{escape(address)}"{hover}>{escape(shown)}</a>' if address else escape(shown)


@dataclass
class IdColumn(Column):
    """An event's or a request's id: letters and digits of ours, of the plugin or of TikTok."""

    def plain(self, value: Any) -> str:
        """As stored, unless it has signs that no id has."""
        return str(value) if _ID.fullmatch(str(value)) else masked_text(str(value))

    def cell(self, data: str, row: Any, word: Word) -> str:
        """In the type of code."""
        return f'<code class="id">{escape(data)}</code>'
