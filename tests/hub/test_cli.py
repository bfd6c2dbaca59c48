"""The server's commands, as an operator types them."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hub_process import ROOT, HubServer, start_hub, voxhub
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from hub import cli

COMMANDS = {name: getattr(cli, name) for name in ("user", "org", "token", "database", "serve")}
SERVE = (sys.executable, "-m", "registry_client.cli", "serve", "--data-dir")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(data_dir: Path, line: str, *more: str, text: str = "") -> Result:
    """Run `voxhub <line>` in this process."""
    command, *arguments = [*line.split(), *more]
    return CliRunner().invoke(COMMANDS[command], [*arguments, "--data-dir", str(data_dir)], input=text)


def done(data_dir: Path, line: str, *more: str, text: str = "") -> str:
    """Run a command that must succeed; return its standard output."""
    result = run(data_dir, line, *more, text=text)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(data_dir: Path, line: str, *more: str) -> str:
    """Run a command that must fail in plain words; return them."""
    result = run(data_dir, line, *more)
    assert result.exit_code == 1, (result.output, result.exception)
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    return result.stderr


def start(data_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a `voxhub serve` that must end by itself."""
    command = [*SERVE, str(data_dir), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=30)


def test_a_user_with_a_token_in_two_commands(data_dir: Path) -> None:
    done(data_dir, "user add alice --fullname", "Alice Adams")
    printed = done(data_dir, "token create alice --role read --expires 2 --name nightly")
    assert re.fullmatch(r"hf_[A-Za-z0-9]{32}\n", printed)
    listed = done(data_dir, "token list alice")
    assert "nightly" in listed
    assert printed.strip()[-4:] in listed
    assert printed.strip() not in listed
    assert "Alice Adams" in done(data_dir, "user list")


def test_a_token_may_have_a_chosen_value(data_dir: Path) -> None:
    done(data_dir, "user add alice")
    assert done(data_dir, "token create alice --value hf_0123456789abcdefg") == "hf_0123456789abcdefg\n"
    assert "in use already" in refused(data_dir, "token create alice --value hf_0123456789abcdefg")


@pytest.mark.parametrize(
    "value",
    ["hf_short", "0123456789abcdefghij", "hf_0123456789 abcdefg", "hf_" + "x" * 300, "hf_0123456789abcdefü"],
)
def test_a_chosen_value_that_is_no_token_is_refused(data_dir: Path, value: str) -> None:
    done(data_dir, "user add alice")
    assert "must start with `hf_`" in refused(data_dir, "token create alice --value", value)
    assert len(done(data_dir, "token list alice").splitlines()) == 1


def test_a_revoked_token_is_gone(data_dir: Path) -> None:
    done(data_dir, "user add alice")
    done(data_dir, "token create alice")
    done(data_dir, "token revoke alice 1")
    assert len(done(data_dir, "token list alice").splitlines()) == 1
    assert "no token `1`" in refused(data_dir, "token revoke alice 1")


@pytest.mark.parametrize("name", ["a--b", "..", "../../etc", "api", "x" * 300, "a\x01b", "Settings", "a/b"])
def test_the_command_line_has_the_rules_of_names_that_http_has(data_dir: Path, name: str) -> None:
    refused(data_dir, "user add", name)
    refused(data_dir, "org add", name)
    assert len(done(data_dir, "user list").splitlines()) == 1


def test_names_differ_by_more_than_case(data_dir: Path) -> None:
    done(data_dir, "user add Alice")
    assert "taken" in refused(data_dir, "user add aLICE")
    assert "taken" in refused(data_dir, "org add ALICE")


def test_an_organisation_with_its_members(data_dir: Path) -> None:
    for name in ("alice", "bob", "carol"):
        done(data_dir, f"user add {name}")
    done(data_dir, "org add lab --member alice:admin --member bob:write")
    done(data_dir, "org member add lab carol --role contributor")
    assert "alice:admin bob:write carol:contributor" in done(data_dir, "org list")
    done(data_dir, "org member remove lab bob")
    assert "bob" not in done(data_dir, "org list")
    assert "last admin" in refused(data_dir, "org member remove lab alice")
    assert "last admin of `lab`" in refused(data_dir, "user remove alice")
    done(data_dir, "user remove carol")


@pytest.mark.parametrize("member", ["alice", "alice:owner", ":read", "nobody:read", "alice:"])
def test_a_member_that_cannot_be_read_makes_no_organisation(data_dir: Path, member: str) -> None:
    done(data_dir, "user add alice")
    refused(data_dir, "org add lab --member", member)
    assert "lab" not in done(data_dir, "org list")


def test_the_last_admin_of_the_hub_stays(data_dir: Path) -> None:
    done(data_dir, "user add root1 --admin")
    assert "last admin of this hub" in refused(data_dir, "user remove root1")


def test_a_password_is_read_from_standard_input(data_dir: Path) -> None:
    done(data_dir, "user add alice --password-stdin", text="a long password\n")
    done(data_dir, "user password alice", text="another password\n")
    short = run(data_dir, "user add bob --password-stdin", text="short\n")
    assert short.exit_code == 1
    assert "5 characters" in short.stderr


@pytest.mark.parametrize(
    "line", ["token create nobody", "token list nobody", "user remove nobody", "org member add lab x"]
)
def test_an_unknown_account_is_named(data_dir: Path, line: str) -> None:
    assert "There is no" in refused(data_dir, line)


@pytest.mark.parametrize("name", ["user", "org", "token", "database", "serve"])
def test_help_teaches_with_examples(name: str) -> None:
    shown = CliRunner().invoke(COMMANDS[name], ["--help"])
    assert shown.exit_code == 0
    assert f"voxhub {name} " in shown.stdout
    assert "--data-dir " in shown.stdout


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(tmp_path / "file", "user list")
    assert f"`{tmp_path / 'file'}` cannot be the data folder" in said


def test_a_setting_that_cannot_be_read_is_named(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXHUB_SIGN_UP", "perhaps")
    ended = start(data_dir, "--port", "0")
    assert ended.returncode == 1
    assert "sign_up" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_first_start_makes_an_admin_and_shows_its_token_once(tmp_path: Path) -> None:
    first = start_hub(tmp_path / "data")
    stop(first)
    log = tmp_path / "data.log"
    token = re.findall(r"^ +(hf_\w+)$", log.read_text(), re.MULTILINE)
    assert len(token) == 1
    (printed,) = re.findall(r"^Sign in: +voxhub (login .*)$", log.read_text(), re.MULTILINE)
    assert printed.endswith(token[0])
    second = start_hub(tmp_path / "data")
    try:
        # As it was printed, but for the port, which is another one now.
        greeted = voxhub(*printed.replace(first.endpoint, second.endpoint).split())
        assert greeted == f"Signed in at {second.endpoint} as admin.\n"
        assert len(re.findall(r"^ +(hf_\w+)$", log.read_text(), re.MULTILINE)) == 1
        said = HfApi(endpoint=second.endpoint, token=token[0]).whoami()
        assert (said["name"], said["isAdmin"]) == ("admin", True)
    finally:
        stop(second)


def test_a_hub_that_was_prepared_before_its_first_start_still_gets_an_admin(tmp_path: Path) -> None:
    done(tmp_path / "data", "user add alice")
    server = start_hub(tmp_path / "data")
    stop(server)
    assert "The account `admin` was made" in (tmp_path / "data.log").read_text()


def test_workers_share_one_address_and_one_hub(tmp_path: Path) -> None:
    server = start_hub(tmp_path / "data", options=("--workers", "2"))
    try:
        name, token = server.new_user()
        api = HfApi(endpoint=server.endpoint, token=token)
        assert {api.whoami()["name"] for _ in range(20)} == {name}
        log = (tmp_path / "data.log").read_text()
        assert log.count("Application startup complete") == 2
    finally:
        stop(server)


def test_the_loop_is_uvloop_with_one_worker_and_with_several(tmp_path: Path) -> None:
    # asyncio's own loop leaves Nagle's algorithm on when there are several workers: 44 ms for each answer.
    for workers in ("1", "2"):
        server = start_hub(tmp_path / f"data{workers}", options=("--workers", workers))
        stop(server)
        log = (tmp_path / f"data{workers}.log").read_text()
        assert log.count("loop=uvloop") == int(workers), log


def test_commands_work_while_the_hub_runs(hub_server: HubServer) -> None:
    name, token = hub_server.new_user()
    api = HfApi(endpoint=hub_server.endpoint, token=token)
    assert api.whoami()["name"] == name
    listed = hub_server.run("token", "list", name).splitlines()
    hub_server.run("token", "revoke", name, listed[1].split()[0])
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami()


def test_a_port_in_use_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = start(tmp_path / "data", "--port", port)
    assert ended.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}: another program listens there" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_foreign_address_is_refused(tmp_path: Path) -> None:
    ended = start(tmp_path / "data", "--host", "192.0.2.1", "--port", "0")
    assert ended.returncode == 1
    assert "does not have that address" in ended.stderr


def test_an_older_schema_stops_the_start_with_the_command_to_run(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    done(data_dir, "user list")
    command = [
        sys.executable,
        "-c",
        "from hub import migrations, cli; migrations.newest = lambda: '9999'; cli.serve()",
        "--data-dir",
        str(data_dir),
        "--port",
        "0",
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=30)
    assert ended.returncode == 1
    assert f"voxhub database upgrade --data-dir {data_dir}" in ended.stderr


def test_a_hub_ends_within_seconds_when_it_is_told_to(tmp_path: Path) -> None:
    for workers, told in (("1", signal.SIGTERM), ("2", signal.SIGTERM), ("1", signal.SIGINT)):
        server = start_hub(tmp_path / f"data{workers}{told}", options=("--workers", workers))
        started = time.monotonic()
        server.process.send_signal(told)
        assert server.process.wait(timeout=20) in (0, -told, 130)
        assert time.monotonic() - started < 8


def test_an_answer_that_is_under_way_is_finished_before_the_end(tmp_path: Path) -> None:
    server = start_hub(tmp_path / "data")
    host, port = server.endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        body = b'{"name": "nobody", "password": "not the password"}'
        head = f"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        time.sleep(0.02)
        server.process.terminate()
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 401")
    assert server.process.wait(timeout=20) in (0, -signal.SIGTERM)


def test_a_full_disk_is_said_in_plain_words(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        assert "is full" in refused(small / "data", "user add alice")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_folder_without_rights_is_said_in_plain_words(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot be the data folder" in refused(tmp_path / "locked" / "data", "user list")


def test_a_port_of_zero_prints_the_one_that_was_found(tmp_path: Path) -> None:
    command = [*SERVE, str(tmp_path / "data"), "--port", "0"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, line
        assert int(found[1]) > 0
    finally:
        process.terminate()
        process.communicate(timeout=20)


def stop(server: HubServer) -> None:
    server.process.terminate()
    server.process.wait(timeout=20)


def test_a_history_is_exported_as_a_git_repository(hub_server: HubServer, tmp_path: Path) -> None:
    name, token = hub_server.new_user()
    api = HfApi(endpoint=hub_server.endpoint, token=token)
    api.create_repo(f"{name}/model", private=True)
    commit = api.upload_file(path_or_fileobj=b"text", path_in_repo="a/b.txt", repo_id=f"{name}/model")
    hub_server.run("export", f"{name}/model", str(tmp_path / "model.git"))
    git = ["git", "-C", str(tmp_path / "model.git")]
    subprocess.run([*git, "fsck", "--strict"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert head.strip() == commit.oid


@pytest.mark.parametrize("repo", ["nobody/none", "none", "../etc/passwd"])
def test_an_export_of_nothing_makes_nothing(data_dir: Path, tmp_path: Path, repo: str) -> None:
    done(data_dir, "user list")
    said = CliRunner().invoke(cli.export, [repo, str(tmp_path / "out"), "--data-dir", str(data_dir)])
    assert said.exit_code == 1
    assert said.stderr.startswith("Error: ")
    assert not (tmp_path / "out").exists()
