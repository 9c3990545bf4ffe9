"""The companion plugin as the zip file that a store owner uploads."""

from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

__all__ = ["PLUGIN_FOLDER", "PLUGIN_ZIP_NAME", "build_plugin_zip", "plugin_version"]

PLUGIN_FOLDER = Path(__file__).parent / "plugin" / "pixel-connector"
PLUGIN_ZIP_NAME = "pixel-connector.zip"

_LEFT_OUT = {"tests"}  # the plugin's own unit tests stay here
_SUFFIXES = {".php", ".txt", ".pot", ".po", ".mo", ".json", ".css", ".js", ".svg", ""}
_SAME_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows; equal files make equal bytes
_UNIX = 3
_PLAIN_FILE = 0o100644 << 16


def build_plugin_zip(folder: Path = PLUGIN_FOLDER) -> bytes:
    """The zip's bytes: all files under one folder `pixel-connector/`, the same for the same files.

    WordPress names the installed folder after the one inside the zip, and an update must find it again.
    """
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for path in _files(folder):
            entry = ZipInfo(f"pixel-connector/{path.relative_to(folder).as_posix()}", _SAME_DATE)
            entry.create_system = _UNIX
            entry.external_attr = _PLAIN_FILE
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def plugin_version(folder: Path = PLUGIN_FOLDER) -> str:
    """The version in the plugin's header. Raises ValueError when there is none."""
    for line in (folder / "pixel-connector.php").read_text("utf-8").splitlines():
        name, _, value = line.strip(" *").partition(":")
        if name == "Version":
            return value.strip()
    raise ValueError("pixel-connector.php has no Version line")


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if _belongs(path.relative_to(folder)))


def _belongs(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.parts[0] not in _LEFT_OUT and path.suffix in _SUFFIXES
