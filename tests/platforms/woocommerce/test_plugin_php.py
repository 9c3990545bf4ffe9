"""The WordPress plugin's own unit tests and a syntax check, where PHP is there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from connector.platforms.woocommerce.plugin_zip import PLUGIN_FOLDER

PHP = shutil.which("php")
needs_php = pytest.mark.skipif(PHP is None, reason="no php here: apt-get install php-cli")

FILES = sorted(PLUGIN_FOLDER.rglob("*.php"))
INSTALLED = [path for path in FILES if "tests" not in path.relative_to(PLUGIN_FOLDER).parts]

# Syntax and functions that PHP 7.4 does not know and WordPress 6.4 does not bring along.
NEWER_THAN_7_4 = {
    "null-safe call": r"\?->",
    "match": r"(?<![\w>:$])match\s*\(",
    "mixed, never, static as types": r"[(,:]\s*\??(?:mixed|never|static)\s+\$|\)\s*:\s*(?:mixed|never|static)\b",
    "union type": r"[(,]\s*\w+\s*\|\s*\w+\s+\$\w",
    "constructor promotion": r"__construct\(\s*(?:public|private|protected)\s",
    "enum": r"^\s*enum\s+\w+",
    "readonly": r"\breadonly\s",
    "catch without a variable": r"catch\s*\(\s*[\\\w| ]+\s*\)",
    "trailing comma in parameters": r"function\s*\w*\([^()]*,\s*\)",
    "new functions": r"\b(?:array_is_list|get_debug_type|fdiv|json_validate|str_increment|array_find)\s*\(",
}


@needs_php
def test_the_plugins_own_tests_pass() -> None:
    run = _php(str(PLUGIN_FOLDER / "tests" / "run.php"))

    assert run.returncode == 0, run.stdout
    passed = re.search(r"^(\d+) tests, 0 failed", run.stdout, re.M)
    assert passed is not None, run.stdout
    assert int(passed[1]) >= 95


@needs_php
def test_a_host_may_have_switched_functions_off() -> None:
    """Without `inet_pton` every beacon was lost, without `ignore_user_abort` no response closed early."""
    code = """
        require 'tests/stubs.php';
        require 'src/autoload.php';
        $log = 'PixelConnector\\BeaconLog::admit';
        $taken = $log( '203.0.113.7', 60 ) && $log( null, 60 );
        PixelConnector\\AfterResponse::close();
        exit( $taken && 1 === Fake::$closed ? 0 : 1 );
    """
    switched_off = "disable_functions=inet_pton,ignore_user_abort,set_time_limit"
    run = _php("-d", switched_off, "-r", code, cwd=PLUGIN_FOLDER)

    assert run.returncode == 0, run.stdout + run.stderr


@needs_php
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PLUGIN_FOLDER)))
def test_php_reads_the_file(path: Path) -> None:
    run = _php("-l", str(path))

    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("path", INSTALLED, ids=lambda path: path.name)
def test_nothing_newer_than_php_7_4(path: Path) -> None:
    code = _without_comments(path.read_text("utf-8"))

    assert [name for name, pattern in NEWER_THAN_7_4.items() if re.search(pattern, code, re.M)] == []


@pytest.mark.parametrize("path", INSTALLED, ids=lambda path: path.name)
def test_no_file_runs_when_it_is_opened_by_its_address(path: Path) -> None:
    text = path.read_text("utf-8")

    assert "defined( 'ABSPATH' ) || exit;" in text or "defined( 'WP_UNINSTALL_PLUGIN' ) || exit;" in text


def test_the_shoppers_requests_make_no_call() -> None:
    """Only the client of wp-admin calls out by itself; webhooks leave through WooCommerce's own deliver()."""
    calls = re.compile(r"wp_(?:safe_)?remote_\w+\(|curl_|fsockopen")
    callers = {path.name for path in INSTALLED if calls.search(path.read_text("utf-8"))}
    users = {path.name for path in INSTALLED if "new ConnectorClient" in path.read_text("utf-8")}

    assert callers <= {"ConnectorClient.php", "Delivery.php"}  # Delivery only reads an answer's status
    assert "wp_remote_post" not in (PLUGIN_FOLDER / "src" / "Delivery.php").read_text("utf-8")
    assert users == {"AdminPage.php", "Privacy.php"}


def _php(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    assert PHP is not None
    return subprocess.run([PHP, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=cwd)


def _without_comments(code: str) -> str:
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", code, flags=re.S)
