"""Every error of this program, branched by what the caller can do about it.

ConnectorError
├── ConfigurationError     the operator mends a setting; the program stops
├── UsageError             the person at the keyboard mends the command (exit code 2)
├── WebhookRefused         the sender gets an HTTP status and a one-line reason
├── UnreadablePayload      authentic, not understood: kept, answered 2xx, shown
├── AddressRefused         the address guard will not connect there
├── SendFailed             no answer came back: network, time-out, garbage
├── StoreRefused           a store's API gives nothing: reconnect, or later
├── CredentialUnreadable   no key of ours opens this field
└── LeaseLost              another worker has this work now
"""

__all__ = [
    "AddressRefused",
    "ConfigurationError",
    "ConnectorError",
    "CredentialUnreadable",
    "LeaseLost",
    "SendFailed",
    "StoreRefused",
    "UnreadablePayload",
    "UsageError",
    "WebhookRefused",
]


class ConnectorError(Exception):
    """Something this program expected to go wrong, in words for the person who can mend it."""


class ConfigurationError(ConnectorError):
    """A setting is missing or wrong; the text names it."""


class UsageError(ConnectorError):
    """A command was given something it cannot take; the text says what it takes."""


class WebhookRefused(ConnectorError):
    """A request at the intake that is not stored.

    `status` is the HTTP status, `reason` a short word for counters, the text one line for the sender.
    """

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


class UnreadablePayload(ConnectorError):
    """An authentic body that we do not understand. `reason` is a short word, kept with the webhook."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text or reason)
        self.reason = reason


class AddressRefused(ConnectorError):
    """An outbound address that is private, local or otherwise not to be called."""


class SendFailed(ConnectorError):
    """An outbound call brought no usable answer.

    `reason` is one short word: connect, timeout, closed, protocol or too_large.
    """

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(text or reason)
        self.reason = reason


class StoreRefused(ConnectorError):
    """A store's API gave no usable answer. `kind` is a short word, as in `StoreFault`, or `no_keys`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class CredentialUnreadable(ConnectorError):
    """A stored credential that none of the secret keys opens."""


class LeaseLost(ConnectorError):
    """A completion came too late: the lease had passed to another worker."""
