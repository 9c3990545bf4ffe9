"""Pictures of pages for the documentation, written only when they look different from those that are there."""

import base64
from pathlib import Path

from playwright.sync_api import Browser, Page

__all__ = ["keep_picture"]

# A run draws the same page with other ids and tokens: so few pixels are no news.
_VISIBLE_SHARE = 0.004
_COMPARE = """async ([before, after]) => {
    const pixels = async (data) => {
        const image = new Image();
        image.src = "data:image/jpeg;base64," + data;
        await image.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width, image.height];
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return [image.width, image.height, context.getImageData(0, 0, image.width, image.height).data];
    };
    const [width, height, old] = await pixels(before), [newWidth, newHeight, fresh] = await pixels(after);
    if (width !== newWidth || height !== newHeight) return 1;
    let differing = 0;
    for (let at = 0; at < old.length; at += 4) {
        const apart = Math.max(...[0, 1, 2].map((part) => Math.abs(old[at + part] - fresh[at + part])));
        if (apart > 40) differing += 1;
    }
    return differing / (width * height);
}"""


def keep_picture(browser: Browser, page: Page, path: Path) -> float:
    """Take the page's picture; write it when it differs visibly. Returns the share of pixels that differ."""
    picture = page.screenshot(type="jpeg", quality=55, full_page=True)
    share = _difference(browser, path.read_bytes(), picture) if path.exists() else 1.0
    if share > _VISIBLE_SHARE:
        path.write_bytes(picture)
    return share


def _difference(browser: Browser, before: bytes, after: bytes) -> float:
    if before == after:
        return 0.0
    blank = browser.new_page()
    try:
        texts = [base64.b64encode(one).decode() for one in (before, after)]
        return float(blank.evaluate(_COMPARE, texts))
    finally:
        blank.close()
