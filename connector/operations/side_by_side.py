"""The same work for many stores, some at a time: one that never answers does not stand before the others."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["side_by_side"]

AT_A_TIME = 8
_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


def side_by_side(
    items: Iterable[_Item], work: Callable[[_Item], _Value], go_on: Callable[[], bool]
) -> list[_Value | None]:
    """Do `work` for each; None for those that were left out since `go_on` said no. `work` raises nothing."""
    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="stores") as threads:
        return list(threads.map(lambda item: work(item) if go_on() else None, items))
