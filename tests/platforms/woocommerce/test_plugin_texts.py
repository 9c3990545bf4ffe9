"""The plugin's template for translators names every text. Write it anew with

python -m tests.platforms.woocommerce.test_plugin_texts
"""

import re

from connector.platforms.woocommerce.plugin_zip import PLUGIN_FOLDER, plugin_version

TEMPLATE = PLUGIN_FOLDER / "languages" / "pixel-connector.pot"
_CALL = re.compile(r"\b(?:__|_e|esc_html__|esc_attr__|esc_html_e|esc_attr_e)\(\s*'((?:[^'\\]|\\.)*)'\s*,\s*'([^']*)'")


def _texts() -> dict[str, list[str]]:
    """Each text and the files that use it."""
    found: dict[str, list[str]] = {}
    for path in sorted(PLUGIN_FOLDER.glob("src/*.php")):
        for text, domain in _CALL.findall(path.read_text("utf-8")):
            assert domain == "pixel-connector", f"{path.name}: {text}"
            places = found.setdefault(text.replace("\\'", "'"), [])
            places.extend([path.name] if path.name not in places else [])
    return found


def _render() -> str:
    head = (
        'msgid ""\nmsgstr ""\n'
        f'"Project-Id-Version: Pixel Connector for TikTok {plugin_version()}\\n"\n'
        '"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n"X-Domain: pixel-connector\\n"\n'
    )
    entries = [_entry(text, places) for text, places in sorted(_texts().items())]
    return "\n".join([head, *entries])


def _entry(text: str, places: list[str]) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    flag = "#, php-format\n" if re.search(r"%(?:\d\$)?[sd]", text) else ""
    return f'#: {" ".join(f"src/{place}" for place in places)}\n{flag}msgid "{quoted}"\nmsgstr ""\n'


def test_the_template_names_every_text() -> None:
    assert len(_texts()) > 40
    assert TEMPLATE.read_text("utf-8") == _render()


if __name__ == "__main__":
    TEMPLATE.write_text(_render(), "utf-8")
