"""Contrast of the text on a page as it is drawn (WCAG 2.1, 1.4.3): computed colours over what lies behind them."""

from typing import Any

from playwright.sync_api import Page

__all__ = ["faint_texts"]

# Text on pictures or gradients, hidden text and switched-off controls are left out, as the guideline does.
_MEASURE = """() => {
  const parse = (text) => {
    const parts = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [parts[0] * scale, parts[1] * scale, parts[2] * scale, parts.length > 3 ? parts[3] : 1];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.backgroundImage !== "none") return null;
      const colour = parse(style.backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const seen = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (element.closest("svg, :disabled, [aria-hidden=true], .visually-hidden, script, style")) continue;
    const back = behind(element), style = getComputedStyle(element);
    if (!back) continue;
    const ink = over(parse(style.color), back);
    const [low, high] = [light(ink), light(back)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) {
      const key = style.color + " on " + back.map(Math.round).slice(0, 3);
      if (!seen.has(key)) seen.set(key, `${ratio.toFixed(2)} ${key}: ${text.slice(0, 40)} (${element.className})`);
    }
  }
  return [...seen.values()];
}"""


def faint_texts(page: Page) -> list[Any]:
    """One line for each pair of colours that is too faint: ratio, colours, an example."""
    found: list[Any] = page.evaluate(_MEASURE)
    return found
