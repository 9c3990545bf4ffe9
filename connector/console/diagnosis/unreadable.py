"""An authentic webhook that was not understood."""

from connector.console.diagnosis.case import Actor, Case, Finding, Level
from connector.core.states import WebhookState


def check(case: Case) -> Finding | None:
    """The newest unreadable one."""
    found = [webhook for webhook in case.webhooks if webhook.state is WebhookState.UNREADABLE]
    if not found:
        return None
    return Finding(
        Level.ACT,
        "A webhook came from the store but its body could not be understood ({reason}).",
        Actor.SUPPORT,
        "Look at the webhook and report it with its number. It is kept, and can be replayed once it is mended.",
        {"reason": found[-1].reason},
    )
