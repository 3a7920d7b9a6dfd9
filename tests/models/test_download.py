from __future__ import annotations

import hashlib
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from authorities import authorities_read_once as authorities_read_once
from models.file_server import Behaviour, FileServer, Request, serving

from virnucpro_tasks.errors import BundleError, DownloadError, OutputError
from virnucpro_tasks.models.download import Patience, Watcher, download
from virnucpro_tasks.models.http import http_client
from virnucpro_tasks.models.manifest import PublishedFile
from virnucpro_tasks.models.partial import PartialFile

CONTENT = random.Random(1).randbytes(400_000)
IN_A_HURRY = Patience(tries=4, first_pause_seconds=0.001, longest_pause_seconds=0.002, longest_wait_seconds=0.5)
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving({"weights.pt": CONTENT}) as server:
        yield server


def published(server: FileServer, **facts: object) -> PublishedFile:
    known = {"bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    return PublishedFile(name="weights.pt", url=f"{server.address}/weights.pt", **(known | facts))  # type: ignore[arg-type]


def fetch(
    folder: Path, wanted: PublishedFile, *, patience: Patience = IN_A_HURRY, address: str | None = None
) -> list[str]:
    """Fetch into `folder`; what was said. The file is published whatever it holds."""
    said: list[str] = []
    with PartialFile(folder / wanted.name) as part, http_client() as client:
        download(
            client, address or wanted.url, part, wanted=wanted, patience=patience, watcher=Watcher(say=said.append)
        )
        part.publish()
    return said


def cut_at(server: FileServer, folder: Path, wanted: PublishedFile, place: int) -> int:
    """Have the connection break once, for good; the bytes that are kept."""
    server.script.append(Behaviour(cut_after=place))
    with pytest.raises(DownloadError):
        fetch(folder, wanted, patience=Patience(tries=1))
    return (folder / ".partial" / wanted.name).stat().st_size


def test_a_file_is_fetched_and_nothing_else_stays(server: FileServer, tmp_path: Path) -> None:
    moved: list[tuple[int, int | None]] = []
    wanted = published(server)
    with PartialFile(tmp_path / "weights.pt") as part, http_client() as client:
        watcher = Watcher(moved=lambda done, total: moved.append((done, total)))
        download(client, wanted.url, part, wanted=wanted, patience=IN_A_HURRY, watcher=watcher)
        assert part.sha256 == wanted.sha256
        assert not (tmp_path / "weights.pt").exists()
        part.publish()
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pt"]
    assert moved == sorted(moved) and moved[-1] == (len(CONTENT), len(CONTENT))
    assert server.sent == len(CONTENT)


def test_connections_cut_at_random_places(server: FileServer, tmp_path: Path) -> None:
    places = random.Random(2)
    server.script = [Behaviour(cut_after=places.randrange(30_000)) for _ in range(3)] + [
        Behaviour(cut_after=places.randrange(70_000, 90_000)) for _ in range(3)
    ]
    said = fetch(tmp_path, published(server))
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.sent == len(CONTENT)
    assert len(said) == 6 and all("next try" in line for line in said)
    assert all(request.headers["if-range"] == '"v1"' for request in server.requests[1:] if "range" in request.headers)


def test_a_later_run_fetches_only_what_is_missing(server: FileServer, tmp_path: Path) -> None:
    wanted = published(server)
    kept = cut_at(server, tmp_path, wanted, 123_456)
    assert kept == 123_456
    fetch(tmp_path, wanted)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.requests[-1].sent == len(CONTENT) - kept


def test_a_complete_part_needs_no_request(server: FileServer, tmp_path: Path) -> None:
    wanted = published(server)
    cut_at(server, tmp_path, wanted, len(CONTENT) - 1)
    with (tmp_path / ".partial" / "weights.pt").open("ab") as handle:
        handle.write(CONTENT[-1:])
    server.requests.clear()
    fetch(tmp_path, wanted)
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert server.requests == []


def test_a_server_without_ranges_starts_anew_without_appending(server: FileServer, tmp_path: Path) -> None:
    server.script = [Behaviour(cut_after=100_000), Behaviour(ranges=False)]
    said = fetch(tmp_path, published(server))
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT
    assert "from the beginning" in said[-1]


def test_a_server_without_ranges_that_always_cuts_is_given_up(server: FileServer, tmp_path: Path) -> None:
    server.usual = lambda request: Behaviour(ranges=False, cut_after=300_000)
    with pytest.raises(DownloadError, match="4 tries brought nothing new"):
        fetch(tmp_path, published(server))
    assert len(server.requests) <= 1 + IN_A_HURRY.tries


@pytest.mark.parametrize("knows_digest", [True, False])
def test_a_file_that_changed_on_the_server_is_fetched_anew(
    knows_digest: bool, server: FileServer, tmp_path: Path
) -> None:
    wanted = published(server, **({} if knows_digest else {"sha256": None}))
    cut_at(server, tmp_path, wanted, 100_000)
    newer = bytes(reversed(CONTENT))
    server.files["weights.pt"] = newer
    server.usual = lambda request: Behaviour(tag='"v2"')
    fetch(tmp_path, wanted)
    assert (tmp_path / "weights.pt").read_bytes() == newer
    assert server.requests[-1].status == 200


def test_a_changed_tag_counts_even_if_the_server_does_not_heed_the_condition(
    server: FileServer, tmp_path: Path
) -> None:
    wanted = published(server)
    cut_at(server, tmp_path, wanted, 100_000)
    newer = bytes(reversed(CONTENT))
    rest = {"Content-Range": f"bytes 100000-{len(newer) - 1}/{len(newer)}"}
    server.script = [Behaviour(status=206, headers=rest, body=newer[100_000:], tag='"v2"'), Behaviour(body=newer)]
    fetch(tmp_path, wanted)
    assert (tmp_path / "weights.pt").read_bytes() == newer


@pytest.mark.parametrize("tag", [None, 'W/"v1"'])
def test_without_a_mark_of_the_version_and_without_a_digest_it_starts_anew(
    tag: str | None, server: FileServer, tmp_path: Path
) -> None:
    server.usual = lambda request: Behaviour(tag=tag)
    wanted = published(server, sha256=None)
    server.script = [Behaviour(cut_after=100_000, tag=tag)]
    fetch(tmp_path, wanted)
    assert "range" not in server.requests[-1].headers
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT


def test_a_mirror_goes_on_where_the_publisher_stopped_if_a_digest_decides(server: FileServer, tmp_path: Path) -> None:
    wanted = published(server)
    cut_at(server, tmp_path, wanted, 100_000)
    with serving({"m/weights.pt": CONTENT}) as mirror:
        fetch(tmp_path, wanted, address=f"{mirror.address}/m/weights.pt")
        assert mirror.sent == len(CONTENT) - 100_000
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("chunked", [True, False])
def test_a_server_that_promises_more_than_it_sends(chunked: bool, server: FileServer, tmp_path: Path) -> None:
    short = Behaviour(body=CONTENT[:1000], chunked=chunked, promise=None if chunked else len(CONTENT))
    server.script = [short]
    fetch(tmp_path, published(server))
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("size_known", [True, False])
def test_a_server_that_sends_without_end_is_stopped(size_known: bool, server: FileServer, tmp_path: Path) -> None:
    server.usual = lambda request: Behaviour(body=CONTENT * 20, chunked=True)
    facts = {} if size_known else {"bytes": None, "most_bytes": 500_000}
    with pytest.raises(BundleError, match="sends more than"):
        fetch(tmp_path, published(server, **facts))
    assert server.sent < len(CONTENT) * 20
    assert not (tmp_path / ".partial").exists()


def test_a_file_of_another_size_is_refused_before_it_is_fetched(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="400,000 bytes, the published file has 5,000"):
        fetch(tmp_path, published(server, bytes=5_000))
    assert not (tmp_path / ".partial").exists()


def test_a_web_page_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.script = [Behaviour(body=b"<html>Log in", headers={"Content-Type": "text/html; charset=utf-8"})]
    with pytest.raises(DownloadError, match="web page"):
        fetch(tmp_path, published(server))


@pytest.mark.parametrize(
    ("status", "advice"),
    [(400, "--mirror"), (401, "login"), (403, "terms"), (404, "moved"), (407, "password"), (410, "removed"), (451, "")],
)
def test_a_refusal_is_not_repeated(status: int, advice: str, server: FileServer, tmp_path: Path) -> None:
    server.usual = lambda request: Behaviour(status=status, body=b"no")
    with pytest.raises(DownloadError, match=f"answers {status}") as raised:
        fetch(tmp_path, published(server))
    assert advice in str(raised.value) and len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_a_few_times(status: int, server: FileServer, tmp_path: Path) -> None:
    server.script = [Behaviour(status=status, body=b"later")] * 2
    fetch(tmp_path, published(server))
    server.usual = lambda request: Behaviour(status=status, body=b"later")
    server.requests.clear()
    (tmp_path / "weights.pt").unlink()
    with pytest.raises(DownloadError, match=f"{status}.*4 tries"):
        fetch(tmp_path, published(server))
    assert len(server.requests) == IN_A_HURRY.tries


def test_the_pause_is_the_one_that_the_server_asks_for(server: FileServer, tmp_path: Path) -> None:
    began = time.monotonic()
    server.script = [Behaviour(status=429, body=b"", headers={"Retry-After": "1"})]
    fetch(tmp_path, published(server), patience=replace(IN_A_HURRY, longest_wait_seconds=2))
    assert 1 <= time.monotonic() - began < 10


@pytest.mark.parametrize("pause", ["86400", "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_a_server_that_asks_for_a_day_is_not_waited_for(pause: str, server: FileServer, tmp_path: Path) -> None:
    server.script = [Behaviour(status=503, body=b"", headers={"Retry-After": pause})]
    with pytest.raises(DownloadError, match="asks for a pause of"):
        fetch(tmp_path, published(server))


def test_a_part_that_the_server_cannot_continue(server: FileServer, tmp_path: Path) -> None:
    wanted = published(server, bytes=None, most_bytes=10**6)
    cut_at(server, tmp_path, wanted, 300_000)
    server.files["weights.pt"] = CONTENT[:200_000]
    fetch(tmp_path, wanted)
    assert server.requests[-2].status == 416
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT[:200_000]


def test_a_redirect_keeps_the_range_and_loses_the_password(server: FileServer, tmp_path: Path) -> None:
    with serving({}) as front:
        target = f"{server.address}/weights.pt?signature=secret"
        front.usual = lambda request: Behaviour(status=302, headers={"Location": target}, body=b"")
        address = front.address.replace("//", "//ada:lovelace@") + "/weights.pt"
        server.script = [Behaviour(cut_after=100_000)]
        fetch(tmp_path, published(server), address=address)
        assert all("authorization" in request.headers for request in front.requests)
    assert [request.headers.get("range") for request in server.requests] == [None, "bytes=100000-"]
    assert all("authorization" not in request.headers for request in server.requests)


def test_secrets_of_an_address_are_not_shown_or_stored(server: FileServer, tmp_path: Path) -> None:
    address = server.address.replace("//", "//ada:lovelace@") + "/weights.pt?token=babbage"
    server.script = [Behaviour(cut_after=100_000)]
    with pytest.raises(DownloadError) as raised:
        fetch(tmp_path, published(server), address=address, patience=Patience(tries=1))
    note = (tmp_path / ".partial" / "weights.pt.json").read_text()
    for secret in ("ada", "lovelace", "babbage"):
        assert secret not in str(raised.value) + note


def test_redirects_in_a_circle(server: FileServer, tmp_path: Path) -> None:
    server.usual = lambda request: Behaviour(status=302, headers={"Location": "/weights.pt"}, body=b"")
    with pytest.raises(DownloadError, match="circle"):
        fetch(tmp_path, published(server))


def test_a_proxy_is_used_and_can_be_left_out(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = published(server)
    with serving({"weights.pt": CONTENT}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.address)
        fetch(tmp_path, wanted)
        assert [request.path for request in proxy.requests] == [wanted.url]
        assert server.requests == []
        (tmp_path / "weights.pt").unlink()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        fetch(tmp_path, wanted)
        assert len(proxy.requests) == len(server.requests) == 1


def test_a_proxy_of_no_known_kind(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://proxy:1")
    with pytest.raises(DownloadError, match="proxy"):
        fetch(tmp_path, published(server))


def test_nobody_listens(server: FileServer, tmp_path: Path) -> None:
    with serving({}) as gone:
        address = f"{gone.address}/weights.pt"
    with pytest.raises(DownloadError, match=r"no connection.*3 tries.*--from"):
        fetch(tmp_path, published(server), address=address, patience=replace(IN_A_HURRY, tries=20))


def test_a_network_that_goes_away_meanwhile_is_waited_for_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    with ExitStack() as until_the_first_pause:
        server = until_the_first_pause.enter_context(serving({"weights.pt": CONTENT}))
        server.script = [Behaviour(cut_after=100_000)]

        def go_away(seconds: float) -> None:
            pauses.append(seconds)
            until_the_first_pause.close()

        monkeypatch.setattr("virnucpro_tasks.models.download.time.sleep", go_away)
        with pytest.raises(DownloadError, match=r"no connection.*8 tries.*goes on from byte 100,000"):
            fetch(tmp_path, published(server), patience=replace(IN_A_HURRY, tries=8))
    assert len(pauses) == 7


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_tls_with_the_certificate_of_an_authority_of_ones_own(
    tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({"weights.pt": CONTENT}, tls=tls) as server:
        with pytest.raises(DownloadError, match=r"no secure connection.*SSL_CERT_FILE"):
            fetch(tmp_path, published(server))
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        server.script = [Behaviour(cut_after=100_000)]
        fetch(tmp_path, published(server))
        assert (tmp_path / "weights.pt").read_bytes() == CONTENT
        server.usual = lambda request: Behaviour(status=302, headers={"Location": "http://127.0.0.1/x"}, body=b"")
        (tmp_path / "weights.pt").unlink()
        with pytest.raises(DownloadError, match="redirects from https to http"):
            fetch(tmp_path, published(server))


def test_a_proxy_in_front_of_tls(
    tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with serving({"weights.pt": CONTENT}, tls=tls) as server, serving({}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address.replace("//", "//ada:lovelace@"))
        fetch(tmp_path, published(server))
        assert (tmp_path / "weights.pt").read_bytes() == CONTENT
        assert [request.path for request in proxy.requests] == [f"127.0.0.1:{server.port}"]
        assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
        assert "proxy-authorization" not in server.requests[0].headers
        (tmp_path / "weights.pt").unlink()
        proxy.script = [Behaviour(status=503), Behaviour(status=407)]
        with pytest.raises(DownloadError, match=r"proxy refuses: 407.*HTTPS_PROXY"):
            fetch(tmp_path, published(server))
        assert len(server.requests) == 1


def test_a_server_without_tls(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="no secure connection"):
        fetch(tmp_path, published(server), address=f"https://127.0.0.1:{server.port}/weights.pt")


def test_no_room_is_told_before_anything_moves(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = __import__("os").statvfs(tmp_path)
    full = type("Full", (), {"f_bavail": 10, "f_frsize": 1, "f_blocks": found.f_blocks})
    monkeypatch.setattr("os.fstatvfs", lambda descriptor: full)
    with pytest.raises(OutputError, match="room for 10 bytes"):
        fetch(tmp_path, published(server))


def test_a_disk_that_fills_meanwhile_keeps_the_part(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    write = os.write

    def fills(descriptor: int, block: bytes) -> int:
        if os.fstat(descriptor).st_size > 150_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, block)

    with monkeypatch.context() as patch:
        patch.setattr("os.write", fills)
        with pytest.raises(OutputError, match=r"No space left.*make room, then repeat the command, which goes on"):
            fetch(tmp_path, published(server))
    kept = (tmp_path / ".partial" / "weights.pt").stat().st_size
    assert kept > 150_000
    fetch(tmp_path, published(server))
    assert server.requests[-1].sent == len(CONTENT) - kept
    assert (tmp_path / "weights.pt").read_bytes() == CONTENT


def test_pauses_double_up_to_a_limit() -> None:
    patience = Patience()
    assert [patience.pause_seconds(failures, None) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert patience.pause_seconds(1, 45) == 45
    assert patience.pause_seconds(3, 0) == patience.first_pause_seconds


def test_a_request_names_this_program(server: FileServer, tmp_path: Path) -> None:
    seen: list[Request] = server.requests
    fetch(tmp_path, published(server))
    assert seen[0].headers["user-agent"].startswith("virnucpro-tasks/")
    assert seen[0].headers["accept-encoding"] == "identity"
