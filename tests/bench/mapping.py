"""Mapping: from a webhook's bytes to TikTok's JSON for its event, on one core."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from connector.core.consent import ConsentDecision, ConsentOutcome, decide, latest
from connector.core.conversion_events import ConversionEvent
from connector.core.installation_settings import ConsentPolicy, InstallationSettings
from connector.core.mapping import Conversion, MappingContext, map_event, with_consent
from connector.demo.samples import PUBLIC_ID, STORE_URL
from connector.platforms import PLATFORMS
from connector.platforms.base import ReadContext, VerifiedWebhook
from connector.tiktok.payload import event_bytes, validate
from tests.bench.report import Row, at_least, fact
from tests.bench.sizes import Sizes
from tests.bench.workload import CART, ORDER, PIXEL_CODE, VIEW, Template

__all__ = ["mapped_event", "measure_mapping"]

_WORDS = {ORDER: "orders of 4 KB", CART: "cart additions", VIEW: "product views"}
_BUDGETS = {ORDER: 10_000, CART: 20_000, VIEW: 20_000}


def measure_mapping(sizes: Sizes) -> Iterator[Row]:
    """Different people each time; then the same person again and again, as caches would have it."""
    for name, words in _WORDS.items():
        template = Template(name)
        rates = [_rate(template, run * sizes.mapped, sizes.mapped) for run in range(sizes.repeats)]
        yield at_least(f"mapping, {words}, one core", sorted(rates)[len(rates) // 2], "/s", _BUDGETS[name])
        yield fact(f"mapping, {words}, the same one again", _rate(template, 0, sizes.mapped, same=True), "/s")


def _rate(template: Template, start: int, count: int, *, same: bool = False) -> float:
    now = datetime.now(UTC)
    step = 0 if same else 1
    webhooks = [VerifiedWebhook(template.topic, template.body(start + step * n).body, now) for n in range(count)]
    settings = InstallationSettings()
    context = MappingContext(PUBLIC_ID, STORE_URL, PIXEL_CODE, settings, now)
    read_context = ReadContext(STORE_URL, settings.custom_events)
    started = time.process_time()
    for webhook in webhooks:
        _map(webhook, read_context, context, settings.consent_policy)
    return count / (time.process_time() - started)


def mapped_event(number: int) -> ConversionEvent:
    """The purchase of the bench's order of that number."""
    template, now = Template(ORDER), datetime.now(UTC)
    webhook = VerifiedWebhook(template.topic, template.body(number).body, now)
    settings = InstallationSettings()
    context = MappingContext(PUBLIC_ID, STORE_URL, PIXEL_CODE, settings, now)
    mapped = map_event(
        PLATFORMS["woocommerce"].read(webhook, ReadContext(STORE_URL, settings.custom_events)), context
    )
    assert isinstance(mapped, Conversion)
    return mapped.event


def _map(webhook: VerifiedWebhook, read: ReadContext, context: MappingContext, policy: ConsentPolicy) -> bytes:
    mapped = map_event(PLATFORMS["woocommerce"].read(webhook, read), context)
    if not isinstance(mapped, Conversion):
        raise AssertionError("every body of the bench becomes an event")
    decision: ConsentDecision = decide(latest([mapped.consent]), policy, mapped.country)
    if decision.outcome is ConsentOutcome.WITHHOLD:
        raise AssertionError("every body of the bench may be sent")
    event = with_consent(mapped, decision)
    if validate(event):
        raise AssertionError("every body of the bench is what TikTok takes")
    return event_bytes(event)
