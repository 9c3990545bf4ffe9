"""TikTok has taken the event."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import EventState

_STRONG = frozenset({"email", "phone", "ttclid", "external_id"})


def check(case: Case) -> Finding | None:
    """Delivered, with a hint when TikTok can hardly match it to a person."""
    found = case.events_in(EventState.DELIVERED)
    if not found:
        return None
    event = found[-1]
    if event.test_event_code:
        return Finding(
            Level.INFO,
            "TikTok has taken this event as a test: it stands under Test Events only and counts nowhere.",
            Actor.OWNER,
            "Switch the test mode off in the settings. Later orders count then.",
        )
    if not _STRONG.intersection(event.match_keys):
        return Finding(
            Level.OK,
            "TikTok has taken this event, but it carries neither e-mail, phone, click id nor customer: TikTok may "
            "not find the person, and then shows no sale.",
            Actor.OWNER,
            "Check that the companion plugin is active, so that later orders carry the click id.",
        )
    return Finding(
        Level.OK,
        "TikTok has taken this event.",
        Actor.NOBODY,
        "If a report still lacks the sale, TikTok did not credit it to an ad: nobody clicked one in the ad's window. "
        "Events Manager shows it all the same, mostly within minutes, reports within a day.",
    )
