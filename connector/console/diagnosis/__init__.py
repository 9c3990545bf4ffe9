"""Why an order did or did not reach TikTok, in plain words: small pure checks over one `Case`.

To add one: a file with `check(case) -> Finding | None`, and a line in `CHECKS`. The order of the list is the
order on the page: what somebody must do comes first.
"""

from collections.abc import Callable

from connector.console.diagnosis import (
    access_lost,
    consent_withheld,
    currency_not_listed,
    delivered,
    filtered,
    held,
    never_paid,
    not_processed_yet,
    not_yet_due,
    nothing_arrived,
    nothing_to_send,
    paused,
    purchase_known,
    rejected,
    store_access,
    too_old,
    unreadable,
    webhook_disabled,
    withdrawn,
)
from connector.console.diagnosis.case import Case, Finding, Level

__all__ = ["CHECKS", "diagnose"]

CHECKS: tuple[Callable[[Case], Finding | None], ...] = (
    nothing_arrived.check,
    access_lost.check,
    paused.check,
    held.check,
    rejected.check,
    unreadable.check,
    store_access.check,
    webhook_disabled.check,
    consent_withheld.check,
    too_old.check,
    never_paid.check,
    not_processed_yet.check,
    not_yet_due.check,
    filtered.check,
    withdrawn.check,
    purchase_known.check,
    nothing_to_send.check,
    currency_not_listed.check,
    delivered.check,
)
_RANK = {Level.ACT: 0, Level.WAIT: 1, Level.INFO: 2, Level.OK: 3}


def diagnose(case: Case) -> list[Finding]:
    """Everything that the checks find, what needs somebody first."""
    found = [finding for check in CHECKS if (finding := check(case)) is not None]
    return sorted(found, key=lambda finding: _RANK[finding.level])
