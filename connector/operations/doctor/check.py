"""One finding of `connector doctor`."""

from dataclasses import dataclass

__all__ = ["Check", "fine", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Check:
    """`ok` is False when something is wrong. A `remedy` beside `ok` is advice."""

    name: str
    ok: bool
    text: str
    remedy: str = ""


def fine(name: str, text: str) -> Check:
    """As it should be."""
    return Check(name, True, text)


def warning(name: str, text: str, remedy: str) -> Check:
    """It works, and could be better."""
    return Check(name, True, text, remedy)


def wrong(name: str, text: str, remedy: str) -> Check:
    """It does not work, or soon will not."""
    return Check(name, False, text, remedy)
