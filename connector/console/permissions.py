"""Who may do what: one table from role to actions. Pages, exports and streams all ask `allows`."""

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["PERMISSIONS", "Action", "Role", "allows"]


class Role(StrEnum):
    """What a staff member is. Support answers questions and acts on orders; admin also sees what is masked."""

    SUPPORT = "support"
    ADMIN = "admin"


class Action(StrEnum):
    """Everything the console can do, in words for the audit log."""

    SIGN_IN = "sign_in"
    VIEW = "view"  # lists, journeys, search, dashboards, tail: always masked
    EXPORT = "export"  # the masked list as a file
    SAVE_LINK = "save_link"
    REPLAY = "replay"
    DECIDE_HELD = "decide_held"
    REVEAL = "reveal"  # one webhook in clear, with a reason
    MANAGE_ALERTS = "manage_alerts"
    MANAGE_STAFF = "manage_staff"
    VIEW_AUDIT = "view_audit"


_SUPPORT = frozenset(
    {Action.SIGN_IN, Action.VIEW, Action.EXPORT, Action.SAVE_LINK, Action.REPLAY, Action.DECIDE_HELD}
)

PERMISSIONS: Mapping[Role, frozenset[Action]] = {
    Role.SUPPORT: _SUPPORT,
    Role.ADMIN: _SUPPORT | {Action.REVEAL, Action.MANAGE_ALERTS, Action.MANAGE_STAFF, Action.VIEW_AUDIT},
}


def allows(role: str, action: Action) -> bool:
    """Whether that role may do that; an unknown role may do nothing."""
    return role in PERMISSIONS and action in PERMISSIONS[Role(role)]
