"""The real program in a process of its own: nothing of this process helps it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CANARY = "canary-7f3a9"


def run(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "CONNECTOR_DATA_DIR": str(folder / "data"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return subprocess.run(
        [sys.executable, "-m", "connector", *arguments],
        input=stdin, capture_output=True, text=True, cwd=folder, env=environment, timeout=60, check=False,
    )  # fmt: skip


def test_json_alone_is_on_standard_output_and_secrets_are_nowhere(tmp_path: Path) -> None:
    added = run(
        tmp_path,
        *"installations add --platform woocommerce --url https://shop.example --pixel-code C1 --json".split(),
        *"--access-token-stdin --webhook-secret-stdin".split(),
        stdin=f"{CANARY}-token\n{CANARY}-secret\n",
    )
    assert added.returncode == 0, added.stderr
    installation_id = json.loads(added.stdout)["installation_id"]
    shown = run(tmp_path, "installations", "show", installation_id, "--json")
    doctor = run(tmp_path, "doctor", "--json")
    for answer in (added, shown, doctor):
        assert json.loads(answer.stdout)
        assert answer.stderr == ""
        assert CANARY not in answer.stdout
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) >= 2
    assert not [file for file in files if CANARY.encode() in file.read_bytes()]


def test_bad_input_exits_2_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    answer = run(tmp_path, "events", "list", "--installation", "nobody", "--json")
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert "nobody" in answer.stderr


def test_a_closed_standard_input_or_output_is_no_riddle(tmp_path: Path) -> None:
    command = f"{sys.executable} -m connector installations"
    add = "add --platform woocommerce --url https://shop.example --pixel-code C1 --access-token-stdin"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}

    def shell(text: str) -> subprocess.CompletedProcess[str]:
        arguments = ["sh", "-c", text]
        return subprocess.run(
            arguments, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=60, check=False
        )

    without_input = shell(f"{command} {add} <&-")
    assert (without_input.returncode, without_input.stdout) == (2, "")
    assert without_input.stderr == "error: standard input is closed: the access token comes on it\n"
    without_output = shell(f"{command} list --json >&-")
    assert (without_output.returncode, without_output.stderr) == (0, "")


def test_a_port_that_is_taken_stops_the_start_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = run(tmp_path, "serve", "--port", str(port))
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert answer.stderr.startswith(f"error: CONNECTOR_PORT: cannot listen on 127.0.0.1:{port}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_standard_output_is_an_error(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [sys.executable, "-m", "connector", "installations", "list", "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=60, check=False,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
