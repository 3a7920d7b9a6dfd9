"""nginx in front of Flower and the exporter's page: both have Flower's user and password."""

from __future__ import annotations

import base64
import shutil
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme
from deploy.commands import DEPLOY
from deploy.redis_server import free_port
from needs import missing

LOGIN = "Basic " + base64.b64encode(b"operator:made-up").decode()
NAME = "flower.example.org"


@contextmanager
def serving(name: str, *, login: str | None) -> Iterator[int]:
    """A program that tells its name and the path that was asked for, if need be to those who log in alone."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = login is None or self.headers["Authorization"] == login
            text = f"{name} {self.path}".encode()
            self.send_response(200 if known else 401)
            if not known:
                self.send_header("WWW-Authenticate", 'Basic realm="flower"')
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    """Ask nginx for a path; returns the status, and the answer or what it demands."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin") or missing("nginx is not installed")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "flower.key")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(tmp_path / "flower.pem", append=True)
    trust, port = ssl.create_default_context(), free_port()
    authority.configure_trust(trust)
    with ExitStack() as stack:
        flower = stack.enter_context(serving("flower", login=LOGIN))
        exporter = stack.enter_context(serving("exporter", login=None))
        site = (DEPLOY / "nginx" / "flower.conf").read_text().partition("\nserver {\n    listen 80;")[0]
        changes = {
            "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
            "listen [::]:443 ssl;": "",
            "/etc/ssl/virnucpro": str(tmp_path),
            "127.0.0.1:5555": f"127.0.0.1:{flower}",
            "127.0.0.1:9809": f"127.0.0.1:{exporter}",
        }
        for before, after in changes.items():
            assert before in site
            site = site.replace(before, after)
        folders = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (tmp_path / "nginx.conf").write_text(
            f"pid {tmp_path}/pid; error_log stderr; daemon off; events {{}}\n"
            f"http {{ access_log off; {folders}\n{site}\n}}"
        )
        process = subprocess.Popen([nginx, "-p", tmp_path, "-c", tmp_path / "nginx.conf"])

        def asking(path: str, login: str | None = None) -> tuple[int, str]:
            request = urllib.request.Request(f"https://127.0.0.1:{port}{path}")
            if login:
                request.add_header("Authorization", login)
            while True:
                try:
                    with urllib.request.urlopen(request, timeout=60, context=trust) as answer:
                        return answer.status, answer.read().decode()
                except urllib.error.HTTPError as error:
                    return error.code, error.headers.get("WWW-Authenticate", "")
                except urllib.error.URLError:
                    assert process.poll() is None

        try:
            yield asking
        finally:
            process.terminate()
            process.wait(30)


def test_the_page_of_jobs_has_the_password_of_flower(ask: Callable[..., tuple[int, str]]) -> None:
    assert ask("/progress") == ask("/") == (401, 'Basic realm="flower"')
    assert ask("/progress", LOGIN[:-4] + "wxyz") == (401, 'Basic realm="flower"')
    assert ask("/progress", LOGIN) == (200, "exporter /")
    assert ask("/tasks", LOGIN) == (200, "flower /tasks")


def test_what_needs_no_password_is_closed(ask: Callable[..., tuple[int, str]]) -> None:
    for path in ("/metrics", "/healthcheck"):
        assert ask(path, LOGIN)[0] == 403
    assert ask("/who-is-it", LOGIN)[0] == 404
    # Nothing else of the exporter is reached
    assert ask("/progress/metrics", LOGIN) == (200, "flower /progress/metrics")
