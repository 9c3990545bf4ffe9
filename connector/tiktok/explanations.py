"""Every reason word of this folder in plain language: what happened, who must act, what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["EXPLANATIONS", "Actor", "Explanation", "explain"]


class Actor(StrEnum):
    """Who can mend it. Nobody means that it mends itself or that nothing can be done."""

    OWNER = "owner"
    OPERATOR = "operator"
    SUPPORT = "support"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Texts are English source texts, whole sentences, to be translated where they are shown."""

    cause: str
    who: Actor
    next_step: str


_WAIT = "Nothing to do. The events are sent again by themselves, with the same event ids."
_REJECTED_HERE = "Report it with the event's id: the event was kept back before TikTok could refuse its batch."
_NEW_TOKEN = "Connect TikTok again, or paste a new access token. Everything that waits is sent then."  # noqa: S105


def _ours(field: str) -> Explanation:
    return Explanation(f"TikTok would not take this event: {field}.", Actor.SUPPORT, _REJECTED_HERE)


EXPLANATIONS: Mapping[str, Explanation] = {
    # The installation pauses; its webhooks are still taken.
    "no_permission": Explanation(
        "The access token may not send to this pixel: they belong to different accounts, or the role of "
        "the person who connected is too low.",
        Actor.OWNER,
        "Connect TikTok with an account that is Operator or Admin of the pixel's advertiser.",
    ),
    "pixel_code": Explanation(
        "TikTok does not know this pixel code.",
        Actor.OWNER,
        "Compare the pixel code with the one in TikTok Events Manager and correct it.",
    ),
    "not_found": Explanation(
        "TikTok does not find the pixel or its advertiser account.",
        Actor.OWNER,
        "Check in TikTok Events Manager that the pixel still exists, then connect TikTok again.",
    ),
    "token_expired": Explanation("The access token has expired.", Actor.OWNER, _NEW_TOKEN),
    "token_revoked": Explanation("The access token is wrong or was revoked.", Actor.OWNER, _NEW_TOKEN),
    "token_missing": Explanation("The access token is empty.", Actor.OWNER, _NEW_TOKEN),
    "authorisation_failed": Explanation("TikTok no longer accepts the connection.", Actor.OWNER, _NEW_TOKEN),
    "gateway_auth": Explanation(
        "TikTok's gateway refused the call without saying why.",
        Actor.OWNER,
        "It is tried once more. If it stays, connect TikTok again or paste a new access token.",
    ),
    "app_credentials": Explanation(
        "The id or the secret of the TikTok app is wrong.",
        Actor.OPERATOR,
        "Correct CONNECTOR_TIKTOK_APP_ID and CONNECTOR_TIKTOK_APP_SECRET.",
    ),
    "auth_code_invalid": Explanation(
        "TikTok's authorisation code was used already or is older than an hour.",
        Actor.OWNER,
        "Start connecting TikTok again.",
    ),
    "not_allowed": Explanation(
        "TikTok does not allow this app or this account to make the call.",
        Actor.OPERATOR,
        "Check the app's permissions in the TikTok developer portal.",
    ),
    # The event ends here.
    "invalid_parameter": Explanation(
        "TikTok refused a field of this event.",
        Actor.SUPPORT,
        "Read TikTok's message: it names the field. All other events were sent.",
    ),
    "client_fault": Explanation(
        "TikTok refused this event with a code that it does not explain.",
        Actor.SUPPORT,
        "Read TikTok's message and code, then replay the event once the cause is known.",
    ),
    # It is tried again.
    "partial_success": Explanation(
        "TikTok took only a part of a batch and did not say which.",
        Actor.NOBODY,
        "Nothing to do. Each event is sent by itself; TikTok merges those that it has already.",
    ),
    "too_large": Explanation(
        "The batch was too large for TikTok's gateway.",
        Actor.NOBODY,
        "Nothing to do. The events are sent in smaller batches.",
    ),
    "too_frequent": Explanation("TikTok asks for fewer calls.", Actor.NOBODY, _WAIT),
    "app_quota": Explanation("The app's limit of calls per minute is used up.", Actor.NOBODY, _WAIT),
    "app_quota_day": Explanation(
        "The app's limit of calls per day is used up; it starts anew at midnight UTC.",
        Actor.OPERATOR,
        "Nothing is lost. If it happens again, ask TikTok for a higher limit.",
    ),
    "advertiser_quota": Explanation("This advertiser's limit of calls is used up.", Actor.NOBODY, _WAIT),
    "task_conflict": Explanation("TikTok was busy with the same account.", Actor.NOBODY, _WAIT),
    "server_timeout": Explanation("TikTok took too long inside.", Actor.NOBODY, _WAIT),
    "server_error": Explanation("TikTok had an error of its own.", Actor.NOBODY, _WAIT),
    "maintenance": Explanation("TikTok is under maintenance.", Actor.NOBODY, _WAIT),
    "gateway_error": Explanation("TikTok could not be reached behind its gateway.", Actor.NOBODY, _WAIT),
    "garbage_answer": Explanation("The answer was not TikTok's: no JSON, or no code.", Actor.NOBODY, _WAIT),
    "unknown_code": Explanation("TikTok answered a code that is not documented.", Actor.NOBODY, _WAIT),
    # Found by our own check before sending.
    "invalid_event_name": _ours("its name has signs that are not allowed"),
    "invalid_event_id": _ours("it has no event id"),
    "invalid_pixel_code": _ours("it has no pixel code"),
    "invalid_event_time": _ours("its time is missing, in the future or far in the past"),
    "invalid_page_url": _ours("its page address is not an http or https address"),
    "invalid_referrer": _ours("its referrer is empty"),
    "invalid_email": _ours("its e-mail is not a SHA-256 hash"),
    "invalid_phone": _ours("its phone number is not a SHA-256 hash"),
    "invalid_external_id": _ours("its external id is not a SHA-256 hash"),
    "invalid_click_id": _ours("its click id or browser id is empty"),
    "invalid_ip": _ours("its IP address is not a public one"),
    "invalid_user_agent": _ours("its user agent is empty"),
    "invalid_value": _ours("its value is negative or not a number"),
    "invalid_currency": _ours("its currency is missing or not on TikTok's list"),
    "invalid_contents": _ours("a product has no id, or a price or quantity that is not a number"),
    "invalid_content_type": _ours("its content type is neither product nor product_group"),
    "invalid_num_items": _ours("its number of items is not a whole number"),
    "invalid_order_id": _ours("its order id is empty"),
    "invalid_search_string": _ours("its search text is empty"),
}

_UNKNOWN = Explanation(
    "The reason has no explanation yet.", Actor.SUPPORT, "Report the reason word together with the event's id."
)


def explain(reason: str) -> Explanation:
    """The explanation of a reason word; a general one for a word that is not in the table."""
    return EXPLANATIONS.get(reason, _UNKNOWN)
