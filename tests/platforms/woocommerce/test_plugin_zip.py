"""The plugin's zip: what a store owner uploads."""

import os
import re
import shutil
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from connector.platforms.woocommerce.plugin_zip import PLUGIN_FOLDER, build_plugin_zip, plugin_version


def test_everything_is_under_one_folder_with_the_main_file_in_it() -> None:
    names = ZipFile(BytesIO(build_plugin_zip())).namelist()

    assert "pixel-connector/pixel-connector.php" in names
    assert {"pixel-connector/readme.txt", "pixel-connector/uninstall.php", "pixel-connector/LICENSE"} <= set(names)
    assert "pixel-connector/languages/pixel-connector.pot" in names
    assert all(name.startswith("pixel-connector/") for name in names)
    assert not [name for name in names if "/tests/" in name or "/." in name]


def test_every_class_file_is_inside_unchanged() -> None:
    archive = ZipFile(BytesIO(build_plugin_zip()))

    for path in PLUGIN_FOLDER.glob("src/*.php"):
        assert archive.read(f"pixel-connector/src/{path.name}") == path.read_bytes()


def test_equal_files_make_equal_bytes_whatever_their_dates(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(PLUGIN_FOLDER, copy)
    for path in copy.rglob("*.php"):
        path.chmod(0o600)
        os.utime(path, (1, 1))

    assert build_plugin_zip(copy) == build_plugin_zip()


def test_a_changed_file_makes_other_bytes(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(PLUGIN_FOLDER, copy)
    (copy / "readme.txt").write_text("other")

    assert build_plugin_zip(copy) != build_plugin_zip()


def test_files_of_editors_and_tests_stay_out(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(PLUGIN_FOLDER, copy)
    (copy / ".DS_Store").write_text("x")
    (copy / "src" / "Plugin.php~").write_text("x")
    (copy / "src" / "Plugin.orig").write_text("x")

    assert build_plugin_zip(copy) == build_plugin_zip()


def test_version_is_the_same_in_header_constant_and_readme() -> None:
    version = plugin_version()

    main = (PLUGIN_FOLDER / "pixel-connector.php").read_text("utf-8")
    assert f"define( 'PIXEL_CONNECTOR_VERSION', '{version}' );" in main
    assert re.search(rf"^Stable tag: {re.escape(version)}$", (PLUGIN_FOLDER / "readme.txt").read_text("utf-8"), re.M)


def test_a_header_without_version_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pixel-connector.php").write_text("<?php\n")

    with pytest.raises(ValueError, match="no Version"):
        plugin_version(tmp_path)
