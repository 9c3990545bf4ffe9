"""Whether a page can be used with a thumb, and how wide it is: measured as it is drawn."""

from typing import Any

from playwright.sync_api import Page

__all__ = ["SMALLEST_TARGET", "small_targets", "too_wide"]

SMALLEST_TARGET = 44  # CSS pixels, WCAG 2.1, 2.5.5

# A link in a sentence is as high as its line (the guideline's exception); a box is tapped by its label.
_SMALL = """(least) => {
  const found = [];
  for (const one of document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")) {
    if (!one.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (one.closest(".skip, .visually-hidden, thead")) continue;
    const style = getComputedStyle(one), said = one.textContent.trim();
    const around = one.parentElement.textContent.trim();
    if (one.tagName === "A" && style.display === "inline" && around.length > said.length + 3) continue;
    const box = (one.closest("label") || one).getBoundingClientRect();
    const told = `${Math.round(box.height)} ${one.tagName} ${said.slice(0, 30)} ${one.className || one.name || ""}`;
    if (box.height && box.height < least - 0.5) found.push(told);
  }
  return found;
}"""


def small_targets(page: Page) -> list[Any]:
    """What is lower than a thumb needs: height, kind, text."""
    found: list[Any] = page.evaluate(_SMALL, SMALLEST_TARGET)
    return found


def too_wide(page: Page) -> int:
    """By how many pixels the page scrolls sideways."""
    element = "document.documentElement"
    return int(page.evaluate(f"{element}.scrollWidth - {element}.clientWidth"))
