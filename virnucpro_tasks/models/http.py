"""Talking HTTP: one request for a file from a given byte on, and every failure as an error that says what to do."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version

import httpx2

from virnucpro_tasks.errors import DownloadError

CONNECT_SECONDS = 20.0
STALL_SECONDS = 60.0
"""Time without a single byte after which a connection counts as lost."""

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of HTTP that another try may not meet."""

FROM_ELSEWHERE = "or fetch the file in another way and give its folder with --from"
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)\s*\Z", re.IGNORECASE)
_ADVICE = {
    401: f"it wants a login: see the model's page, {FROM_ELSEWHERE}",
    403: f"see the model's page whether its terms have to be accepted first, {FROM_ELSEWHERE}",
    404: f"it was moved or removed: try --mirror or a newer --manifest, {FROM_ELSEWHERE}",
    407: "put user and password into HTTPS_PROXY, as http://USER:PASSWORD@HOST:PORT",
    410: f"it was removed: try --mirror or a newer --manifest, {FROM_ELSEWHERE}",
}


class PassingError(Exception):
    """A failure that may pass: `wait_seconds` is the pause that the server asked for, `reached` if one answered."""

    def __init__(self, what: str, *, hint: str = "", wait_seconds: float | None = None, reached: bool = True) -> None:
        super().__init__(what)
        self.hint = hint
        self.wait_seconds = wait_seconds
        self.reached = reached


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: from which byte on the body is, of how many, and the mark of the version.

    `start` is None if the server says that it has nothing from the byte that was asked for.
    """

    start: int | None
    total_bytes: int | None
    version: str
    blocks: Iterator[bytes]


def http_client() -> httpx2.Client:
    """A client that follows redirects and the variables of proxies (HTTPS_PROXY, NO_PROXY) and certificates.

    On a redirect to another host it sends no credentials. Raises DownloadError for proxies that it cannot use.
    """
    try:
        return httpx2.Client(
            follow_redirects=True,
            timeout=httpx2.Timeout(STALL_SECONDS, connect=CONNECT_SECONDS),
            headers={
                "User-Agent": f"virnucpro-tasks/{version('virnucpro-tasks')}",
                "Accept": "*/*",
                # Packed in transit, ranges would count the bytes of the packed form.
                "Accept-Encoding": "identity",
            },
            event_hooks={"response": [_refuse_downgrade]},
        )
    except (ValueError, ImportError, httpx2.InvalidURL) as error:
        raise DownloadError(
            f"the proxy that the environment names cannot be used: {error}",
            hint="HTTPS_PROXY and HTTP_PROXY hold http://HOST:PORT",
        ) from None


@contextmanager
def requested(client: httpx2.Client, address: str, *, start: int = 0, version: str = "") -> Iterator[Answer]:
    """Ask for `address` from byte `start` on; with `version` only if the file is still that one, else all of it.

    Raises DownloadError for what another try would meet too, and PassingError for the rest, also while the body is
    read.
    """
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and version:
        headers["If-Range"] = version
    try:
        with client.stream("GET", address, headers=headers) as response:
            yield _answer(response, start)
    except httpx2.HTTPError as error:
        raise _translated(error) from None
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise DownloadError(f"{shown(address)} is no address: {error}") from None


def shown(address: str) -> str:
    """An address without user, password and query, which may be secret."""
    try:
        url = httpx2.URL(address)
        return str(url.copy_with(username=None, password=None, query=None, fragment=None))
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        return "the address"


def _answer(response: httpx2.Response, start: int) -> Answer:
    headers, status = response.headers, response.status_code
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        raise _refusal(response)
    first, total = _content_range(headers.get("Content-Range", ""))
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return Answer(None, total, "", iter(()))
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise DownloadError("the server packs the file in transit, though asked not to", hint="try --mirror")
    if _is_page(headers.get("Content-Type", "")):
        raise DownloadError(
            "a web page came instead of the file: a login, or the page of a proxy or firewall",
            hint=f"open the model's page in a browser, {FROM_ELSEWHERE}",
        )
    if status == HTTPStatus.OK:
        first, total = 0, _count(headers.get("Content-Length", ""))
    elif first != start:
        raise DownloadError(f"the server sent bytes from {first} on, asked for those from {start}", hint="try --mirror")
    return Answer(first, total, _version(headers), response.iter_raw())


def _version(headers: httpx2.Headers) -> str:
    """The mark by which a server knows a version of a file byte for byte; empty if there is none."""
    tag = headers.get("ETag", "").strip()
    if tag.startswith('"') and len(tag) > 2 and tag.isascii():
        return tag
    return "" if tag else headers.get("Last-Modified", "").strip()


def _content_range(text: str) -> tuple[int | None, int | None]:
    found = _CONTENT_RANGE.match(text.strip())
    return (_count(found[1] or ""), _count(found[3])) if found else (None, None)


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _is_page(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")


def _refusal(response: httpx2.Response) -> Exception:
    status = response.status_code
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "an unknown status"
    what = f"{response.request.url.host} answers {status} ({phrase})"
    if status in PASSING_STATUSES:
        return PassingError(what, wait_seconds=_wait_seconds(response.headers.get("Retry-After", "")))
    return DownloadError(what, hint=_ADVICE.get(status, f"try --mirror, {FROM_ELSEWHERE}"))


def _wait_seconds(text: str) -> float | None:
    """The seconds of a Retry-After, a number or a date; None without one."""
    if (seconds := _count(text.strip())) is not None:
        return float(seconds)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _refuse_downgrade(response: httpx2.Response) -> None:
    if response.has_redirect_location and response.url.scheme == "https":
        target = response.url.join(response.headers["Location"])
        if target.scheme != "https":
            raise DownloadError(
                f"{response.url.host} redirects from https to {target.scheme}: {target.host}", hint="try --mirror"
            )


def _translated(error: httpx2.HTTPError) -> Exception:
    if (failure := _tls_failure(error)) is not None:
        return DownloadError(
            f"no secure connection: {failure}",
            hint="behind a proxy that inspects TLS, give the certificate of its authority with SSL_CERT_FILE; is the"
            " clock of this host right?",
        )
    if isinstance(error, httpx2.TooManyRedirects | httpx2.UnsupportedProtocol):
        return DownloadError(f"the server redirects in a circle or to something else: {error}", hint="try --mirror")
    if isinstance(error, httpx2.ProxyError):
        what, hint = f"the proxy refuses: {error}", "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
        if str(error).startswith("4"):
            return DownloadError(what, hint=_ADVICE[407] if str(error).startswith("407") else hint)
    elif isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return PassingError(
            f"no connection: {str(error) or 'timeout'}",
            hint="check the network, and HTTPS_PROXY if there is a proxy",
            reached=False,
        )
    elif isinstance(error, httpx2.TimeoutException):
        what, hint = f"nothing came for {STALL_SECONDS:.0f} s", ""
    elif isinstance(error, httpx2.RemoteProtocolError):
        what, hint = "the server broke the connection off", ""
    else:
        what, hint = f"the connection broke: {str(error) or type(error).__name__}", ""
    return PassingError(what, hint=hint)


def _tls_failure(error: BaseException | None) -> str | None:
    """The fault of the other side's certificate or TLS, if that is behind `error`."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message or str(error)
        # An end of the stream is an ordinary broken connection.
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return error.reason or str(error)
        error = error.__cause__ or error.__context__
    return None
