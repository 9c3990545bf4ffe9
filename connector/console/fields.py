"""The kinds of columns that the console's lists have. Each is a field of starlette-admin with a cell of its own.

A cell is escaped by its template; in exports a value leaves as plain text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette_admin.fields import BaseField

from connector.console.redaction import masked_text

__all__ = ["IdColumn", "LinkColumn", "MomentColumn", "NumberColumn", "StateColumn", "TextColumn", "WordsColumn"]

_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass
class TextColumn(BaseField):
    """Any text, masked by shape: whatever a store wrote into it, no e-mail address is shown."""

    list_template: str = "cells/text.html"

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """As text."""
        return masked_text(str(value))


@dataclass
class MomentColumn(BaseField):
    """A time, shown in the viewer's zone with UTC on hover."""

    list_template: str = "cells/moment.html"

    async def serialize_value(self, request: Request, value: datetime) -> Any:
        """ISO 8601 in UTC."""
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class StateColumn(BaseField):
    """A state word, as a badge."""

    list_template: str = "cells/state.html"

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """The word."""
        return str(value)


@dataclass
class WordsColumn(BaseField):
    """Words joined by commas, such as match keys."""

    list_template: str = "cells/words.html"

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """As stored."""
        return masked_text(str(value))


@dataclass
class NumberColumn(BaseField):
    """A number, aligned to the right."""

    list_template: str = "cells/number.html"

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """Money keeps its digits, yes and no are words."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return format(value, "f") if isinstance(value, Decimal) else value


@dataclass
class LinkColumn(BaseField):
    """A value that leads somewhere; `address` makes the path from the row, None for no link."""

    list_template: str = "cells/link.html"
    address: Callable[[Any], str | None] = lambda row: None

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """Numbers of ours or of the store, as text: long ones would look like a phone number to a mask."""
        return str(value)


@dataclass
class IdColumn(BaseField):
    """An event's or a request's id: letters and digits of ours, of the plugin or of TikTok."""

    list_template: str = "cells/id.html"

    async def serialize_value(self, request: Request, value: Any) -> Any:
        """As stored, unless it has signs that no id has."""
        return str(value) if _ID.fullmatch(str(value)) else masked_text(str(value))
