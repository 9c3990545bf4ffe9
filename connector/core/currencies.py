"""The currencies that TikTok lists for `properties.currency`."""

__all__ = ["LISTED_CURRENCIES"]

# Help page "About Parameters" and the Events API 2.0 reference, ISO 4217. What TikTok does with another
# one is documented nowhere, so an event in another currency goes without value and currency.
LISTED_CURRENCIES: frozenset[str] = frozenset(
    "AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ HKD HNL HUF IDR ILS "
    "INR ISK JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP PKR PLN PYG QAR RON RUB SAR "
    "SEK SGD THB TRY TWD UAH USD VES VND ZAR".split()
)
