"""Programs among the visitors, by the name they give themselves."""

import re
from functools import lru_cache

__all__ = ["is_bot"]

# Words that programs use of themselves. A CUBOT is a phone. HeadlessChrome is let through: it is what owners'
# own checks of their shop run in, and a crawler that hides can change its name anyway.
_BOT = re.compile(
    r"(?<!cu)bot\b|bot[/;_-]|crawl|spider|slurp|lighthouse|pagespeed|gtmetrix|pingdom|uptime|monitoring"
    r"|facebookexternalhit|mediapartners|feedfetcher|\bpreview\b|phantomjs|scrapy|python-|\bcurl/|\bwget/"
    r"|go-http-client|okhttp|java/\d|libwww|httpclient|node-fetch|axios/",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def is_bot(user_agent: str | None) -> bool:
    """Whether the user agent is a program's. Unknown is a visitor."""
    return user_agent is not None and _BOT.search(user_agent) is not None
