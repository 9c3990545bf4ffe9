"""Parts that every conversion event has: its match keys and its time."""

from datetime import datetime

from connector.core import identity
from connector.core.conversion_events import UserData
from connector.core.mapped import MappingContext
from connector.core.store_events import Buyer, Visit

__all__ = ["event_time", "user_data"]


def user_data(installation: MappingContext, visit: Visit, buyer: Buyer, customer_id: int | None) -> UserData:
    """The match keys that can be made of what is there."""
    return UserData(
        email=identity.hash_email(buyer.email),
        phone=identity.hash_phone(
            buyer.phone, buyer.phone_country or buyer.billing_country or buyer.shipping_country
        ),
        external_id=identity.external_id(installation.public_id, customer_id, visit.visitor_id),
        ttclid=identity.click_id(visit.ttclid),
        ttp=identity.browser_id(visit.ttp),
        ip=identity.public_ip(visit.ip),
        user_agent=identity.user_agent(visit.user_agent),
    )


def event_time(happened_at: datetime | None, received_at: datetime) -> datetime:
    """The event's own time, never after its arrival: a store's clock may run ahead."""
    return received_at if happened_at is None or happened_at > received_at else happened_at
