import json
import socket
import stat
from pathlib import Path

import pytest

from freqai_signals.commands.cli import main
from freqai_signals.commands.credentials import ensure_credentials


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "user_data" / "credentials.json"
    consumer = ensure_credentials(path, port=8123)
    text = path.read_text()
    for file in (path, consumer):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ensure_credentials(path) == consumer
    assert path.read_text() == text
    server = json.loads(text)["api_server"]
    assert server["listen_ip_address"] == "127.0.0.1"
    assert server["listen_port"] == 8123
    assert len(server["jwt_secret_key"]) >= 32
    assert len(server["password"]) >= 20


def test_a_mode_that_lets_others_read_is_repaired_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "credentials.json"
    ensure_credentials(path)
    path.chmod(0o644)
    assert main(["credentials", "--file", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "could be read by others" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "-1", "99999999"])
def test_a_port_that_is_none_is_refused(
    tmp_path: Path, port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "credentials.json"
    assert main(["credentials", "--file", str(path), "--port", port]) == 2
    assert "--port must be 1 to 65535" in capsys.readouterr().err
    assert not path.exists()


def test_two_machines_have_different_secrets(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        ensure_credentials(tmp_path / name)
    first, second = (
        json.loads((tmp_path / name).read_text())["api_server"] for name in ("a.json", "b.json")
    )
    for key in ("password", "jwt_secret_key", "ws_token"):
        assert first[key] != second[key]


def test_the_consumer_knows_where_to_listen(tmp_path: Path) -> None:
    consumer = ensure_credentials(tmp_path / "credentials.json", port=8123)
    token = json.loads((tmp_path / "credentials.json").read_text())["api_server"]["ws_token"]
    producer = json.loads(consumer.read_text())["external_message_consumer"]["producers"][0]
    assert (producer["host"], producer["port"]) == ("127.0.0.1", 8123)
    assert producer["ws_token"] == token


@pytest.mark.parametrize("content", ["{", "[]", '{"api_server": {"listen_port": 1}}'])
def test_a_file_without_a_token_is_refused(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(content)
    assert main(["credentials", "--file", str(path)]) == 2
    assert "delete it to create a new one" in capsys.readouterr().err


def test_the_address_is_announced_and_a_port_in_use_is_no_puzzle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, port_file = tmp_path / "credentials.json", tmp_path / "port.json"
    command = ["credentials", "--file", str(path), "--announce"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main([*command, "--port", str(port)]) == 2
        assert f"port {port} is in use" in capsys.readouterr().err
        assert main([*command, "--port-file", str(port_file)]) == 0
        other = json.loads(port_file.read_text())["api_server"]["listen_port"]
        assert other != port
        said = capsys.readouterr().err
        assert f"http://127.0.0.1:{other} (port {port} is in use), user freqai, password in" in said
        assert json.loads(path.read_text())["api_server"]["password"] not in said
    assert main(command) == 0
    assert f"http://127.0.0.1:{port}, user freqai" in capsys.readouterr().err
