"""How a kept webhook body lies in its row, by `body_encoding`: raw, zstd or expired."""

import zstandard

__all__ = ["EXPIRED", "stored_body"]

EXPIRED = "expired"
_decompress = zstandard.ZstdDecompressor().decompress


def stored_body(body: bytes, encoding: str) -> bytes:
    """The bytes as the store sent them; empty when they have expired."""
    if encoding == "zstd":
        return _decompress(body)
    return b"" if encoding == EXPIRED else bytes(body)
