"""Where the socket of a private server is."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from virnucpro_tasks import socket_folder
from virnucpro_tasks.socket_folder import SOCKET_NAME, free_port, make_socket_folder, takes_a_socket


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The login's runtime folder, which is the second choice."""
    folder = tmp_path / "xdg"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


def test_it_is_where_the_run_is_and_of_this_user_only(tmp_path: Path, elsewhere: Path) -> None:
    folder = make_socket_folder(tmp_path)
    assert folder is not None and folder.path.parent == tmp_path
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert not (folder.path / SOCKET_NAME).exists()


def test_a_path_that_is_too_long_is_left_out(tmp_path: Path, elsewhere: Path) -> None:
    long = tmp_path / ("d" * 100)
    long.mkdir()
    folder = make_socket_folder(long)
    assert folder is not None and folder.path.parent == elsewhere
    assert list(long.iterdir()) == []


def test_a_name_that_is_no_utf8_is_left_out(tmp_path: Path, elsewhere: Path) -> None:
    other = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    other.mkdir()
    folder = make_socket_folder(other)
    assert folder is not None and folder.path.parent == elsewhere
    assert list(other.iterdir()) == []


def test_a_folder_that_is_gone_is_left_out(tmp_path: Path, elsewhere: Path) -> None:
    folder = make_socket_folder(tmp_path / "gone")
    assert folder is not None and folder.path.parent == elsewhere


@pytest.mark.parametrize("error", [PermissionError(1, "no"), OSError(95, "not supported"), OSError(22, "invalid")])
def test_a_file_system_without_sockets_is_left_out(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    class Refusing(socket.socket):
        def bind(self, address: bytes) -> None:
            if os.fsencode(elsewhere) not in address:
                raise error
            super().bind(address)

    monkeypatch.setattr(socket_folder.socket, "socket", Refusing)
    folder = make_socket_folder(tmp_path)
    assert folder is not None and folder.path.parent == elsewhere
    assert not takes_a_socket(tmp_path / "s")


def test_without_any_folder_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_folder, "takes_a_socket", lambda _: False)
    assert make_socket_folder() is None
    assert 0 < free_port() < 65_536
