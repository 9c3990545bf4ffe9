"""Text from outside, made fit for JSON and for every database: no control characters, no lone surrogates."""

import re
from hashlib import sha256

__all__ = ["plain_text", "sha256_hex"]


# Control characters (PostgreSQL takes no NUL) and halves of surrogate pairs (no UTF-8 form).
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def plain_text(text: str | None, limit: int) -> str | None:
    """The text without unfit characters and outer blanks, at most `limit` long; None when nothing is left."""
    if not text:
        return None
    if not (text.isascii() and text.isprintable()):
        text = _UNFIT.sub("", text)
    return text.strip()[:limit].rstrip() or None


def sha256_hex(text: str) -> str:
    """Lower-case hex SHA-256 of the text's UTF-8 bytes. Total: a lone surrogate is hashed as it stands."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
