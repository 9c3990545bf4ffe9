"""Host names as they go over the wire."""

import idna

__all__ = ["ascii_host"]


def ascii_host(host: str) -> str:
    """As browsers and registries write it (IDNA 2008, "xn--..."): `straße` and `strasse` differ. An ASCII name stays
    as it is. Raises UnicodeError when it has no such form.
    """
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
