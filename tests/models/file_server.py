"""A web server of one folder of files that behaves as badly as a test wants, and counts what it sends."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK_BYTES = 16_384


@dataclass
class Behaviour:
    """How one request is answered; the default is a good server with ranges and an entity tag."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None
    """The connection is reset when so many bytes of the body were sent."""
    then: Callable[[], None] | None = None
    """Called before the connection is reset."""
    block_seconds: float = 0.0
    """Time from one block of the body to the next."""
    promise: int | None = None
    """A Content-Length that is a lie."""
    ranges: bool = True
    chunked: bool = False
    tag: str | None = '"v1"'


@dataclass
class Request:
    """A request that came, and the bytes of the body that were sent for it."""

    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0


class FileServer:
    """Answers each request as the next of `script` says, later ones as `usual` does."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.script: list[Behaviour] = []
        self.usual: Callable[[Request], Behaviour] = lambda request: Behaviour()
        self.requests: list[Request] = []
        self.scheme, self.port = "http", 0

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def sent(self) -> int:
        return sum(request.sent for request in self.requests)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = Request(handler.path, {name.lower(): value for name, value in handler.headers.items()})
        self.requests.append(request)
        does = self.script.pop(0) if self.script else self.usual(request)
        path = handler.path.split("?")[0]
        # A proxy is asked for the whole address.
        path = re.sub(r"^https?://[^/]+", "", path).lstrip("/")
        body = does.body if does.body is not None else b"" if does.status else self.files.get(path, b"")
        status = does.status or (200 if path in self.files or does.body is not None else 404)
        headers = {"Content-Type": "application/octet-stream"}
        if status == 200:
            start = self._start(request, does)
            if start and start >= len(body):
                status, headers["Content-Range"], body = 416, f"bytes */{len(body)}", b""
            elif start:
                status, headers["Content-Range"] = 206, f"bytes {start}-{len(body) - 1}/{len(body)}"
                body = body[start:]
        if does.tag is not None:
            headers["ETag"] = does.tag
        if does.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(body) if does.promise is None else does.promise)
        request.status = status
        handler.send_response(status)
        for name, value in (headers | does.headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        with suppress(OSError):
            self._send(handler, request, body, does)

    def tunnel(self, handler: BaseHTTPRequestHandler) -> None:
        """Be the proxy of a connection with TLS; with a `script` refuse it with the next status."""
        self.requests.append(Request(handler.path, {name.lower(): value for name, value in handler.headers.items()}))
        if self.script:
            handler.send_error(self.script.pop(0).status or 500)
            return
        handler.close_connection = True
        host, _, port = handler.path.rpartition(":")
        with socket.create_connection((host, int(port))) as target:
            handler.send_response(200)
            handler.end_headers()
            back = threading.Thread(target=_relay, args=(target, handler.connection), daemon=True)
            back.start()
            _relay(handler.connection, target)
            back.join()

    @staticmethod
    def _start(request: Request, does: Behaviour) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if not (found and does.ranges) or request.headers.get("if-range", does.tag) != does.tag:
            return 0
        return int(found[1])

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, request: Request, body: bytes, does: Behaviour) -> None:
        limit = len(body) if does.cut_after is None else min(does.cut_after, len(body))
        for place in range(0, limit, BLOCK_BYTES):
            block = body[place : min(place + BLOCK_BYTES, limit)]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if does.chunked else block)
            request.sent += len(block)
            if does.block_seconds:
                time.sleep(does.block_seconds)
        if does.cut_after is not None:
            handler.wfile.flush()
            if does.then is not None:
                does.then()
            handler.close_connection = True
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
            handler.connection.shutdown(socket.SHUT_WR)
        elif does.chunked:
            handler.wfile.write(b"0\r\n\r\n")
        if does.promise is not None:
            handler.close_connection = True


def _relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(BLOCK_BYTES):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def serving(files: dict[str, bytes], *, tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """A server of `files` (content by path) on a free port of this host."""
    server = FileServer(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.answer(self)

        def do_CONNECT(self) -> None:
            server.tunnel(self)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_address[1]
        if tls is not None:
            server.scheme = "https"
            http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
