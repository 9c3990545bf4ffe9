"""A stand-in TikTok over a real socket: as strict as the real one, and it can be told to misbehave.

    with StandInTikTok(tokens={"token": {"PIXELCODE"}}) as tiktok:
        ...                                # send to tiktok.url
        tiktok.set_mode("throttle", count=3)
        tiktok.accepted                    # unique events, each with its number of copies

By itself: `python -m connector.demo.tiktok_stand_in --port 9000`.
"""

from connector.demo.tiktok_stand_in.checks import BadField, check_event
from connector.demo.tiktok_stand_in.server import StandInTikTok
from connector.demo.tiktok_stand_in.state import AcceptedEvent, Advertiser

__all__ = ["AcceptedEvent", "Advertiser", "BadField", "StandInTikTok", "check_event"]
