from __future__ import annotations

import hashlib
import io
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from authorities import authorities_read_once as authorities_read_once
from models.file_server import Behaviour, FileServer, serving

from virnucpro_tasks.errors import BundleError, DownloadError, OutputError, SettingsError
from virnucpro_tasks.models.download import Patience
from virnucpro_tasks.models.manifest import Manifest, PublishedFile, PublishedModel
from virnucpro_tasks.models.pull import Audience, Pulled, Way, Wishes, default_folder, pull

IN_A_HURRY = Patience(tries=3, first_pause_seconds=0.001, longest_pause_seconds=0.001)
CONTENT = random.Random(3).randbytes(200_000)


def torch_file() -> bytes:
    buffer = io.BytesIO()
    torch.save({"weight": torch.arange(1_000.0)}, buffer)
    return buffer.getvalue()


HEAD = torch_file()
FILES = {"m/weights.pt": CONTENT, "h/500_model.pth": HEAD}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving(dict(FILES)) as server:
        yield server


def manifest_of(address: str) -> Manifest:
    """A model whose digest is known, and one of which nothing is."""

    def model(part: str, file: PublishedFile) -> PublishedModel:
        return PublishedModel(
            part=part,
            title="T",
            page="https://example.org",
            licence="MIT",
            licence_from="it",
            files=(file,),  # type: ignore[arg-type]
        )

    weights = PublishedFile(
        name="weights.pt",
        url=f"{address}/m/weights.pt",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
    )
    head = PublishedFile(name="500_model.pth", url=f"{address}/h/500_model.pth", most_bytes=10**6)
    return Manifest(format_version=1, models={"m": model("esm2", weights), "h": model("head", head)})


def run(
    server: FileServer, folder: Path, *models: str, said: list[str] | None = None, **wishes: object
) -> list[Pulled]:
    return pull(
        manifest_of(server.address),
        list(models or ("m", "h")),
        output=folder,
        wishes=Wishes(**({"patience": IN_A_HURRY} | wishes)),  # type: ignore[arg-type]
        audience=Audience(say=(said if said is not None else []).append),
    )


def files_below(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*"))


def test_files_come_with_their_digests_and_the_second_time_nothing_is_fetched(
    server: FileServer, tmp_path: Path
) -> None:
    first = run(server, tmp_path)
    assert files_below(tmp_path) == [
        "h", "h/500_model.pth", "h/SHA256SUMS", "m", "m/SHA256SUMS", "m/weights.pt",
    ]  # fmt: skip
    assert [(each.way, each.is_published) for each in first] == [(Way.FETCHED, True), (Way.FETCHED, False)]
    assert [each.sha256 for each in first] == [hashlib.sha256(content).hexdigest() for content in (CONTENT, HEAD)]
    for model in ("m", "h"):
        checked = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path / model, check=False)
        assert checked.returncode == 0
    server.requests.clear()
    assert [each.way for each in run(server, tmp_path)] == [Way.KEPT, Way.KEPT]
    assert server.requests == []


def test_the_mode_is_the_one_that_the_umask_allows(server: FileServer, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        run(server, tmp_path)
    finally:
        os.umask(before)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in FILES} == {0o640}


@pytest.mark.parametrize("content", [b"", b"mine", CONTENT[:-1], CONTENT[:-1] + b"\0"])
def test_another_file_that_is_there_is_replaced_only_if_asked(
    content: bytes, server: FileServer, tmp_path: Path
) -> None:
    final = tmp_path / "m" / "weights.pt"
    final.parent.mkdir()
    final.write_bytes(content)
    with pytest.raises(OutputError, match=r"it is another file.*--force"):
        run(server, tmp_path, "m")
    assert (final.read_bytes(), server.requests) == (content, [])
    server.script = [Behaviour(status=404)]
    with pytest.raises(DownloadError):
        run(server, tmp_path, "m", replace=True)
    assert final.read_bytes() == content
    assert run(server, tmp_path, "m", replace=True)[0].way is Way.FETCHED
    assert final.read_bytes() == CONTENT


def test_a_file_of_unknown_digest_must_be_what_was_fetched(server: FileServer, tmp_path: Path) -> None:
    run(server, tmp_path, "h")
    final = tmp_path / "h" / "500_model.pth"
    torch.save({"weight": torch.zeros(3)}, final)
    with pytest.raises(OutputError, match="not what was fetched"):
        run(server, tmp_path, "h")
    (tmp_path / "h" / "SHA256SUMS").unlink()
    assert run(server, tmp_path, "h")[0].way is Way.KEPT
    final.write_bytes(b"<html>")
    with pytest.raises(OutputError, match="another file"):
        run(server, tmp_path, "h")


@pytest.mark.parametrize("place", ["folder", "link"])
def test_what_is_no_file_is_left_alone(place: str, server: FileServer, tmp_path: Path) -> None:
    final = tmp_path / "m" / "weights.pt"
    final.parent.mkdir()
    final.mkdir() if place == "folder" else final.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="is not a file"):
        run(server, tmp_path, "m", replace=True)
    assert server.requests == []


def test_a_wrong_file_never_gets_the_name(server: FileServer, tmp_path: Path) -> None:
    server.files["m/weights.pt"] = bytes(len(CONTENT))
    with pytest.raises(BundleError, match=r"another file.*SHA-256"):
        run(server, tmp_path, "m")
    assert files_below(tmp_path) == []
    server.files["m/weights.pt"] = CONTENT
    assert run(server, tmp_path, "m")[0].way is Way.FETCHED


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html>", b"version https://git-lfs.github.com/spec/v1", HEAD[:-50], b"x" * 99]
)
def test_a_file_of_unknown_digest_is_at_least_a_complete_torch_file(
    content: bytes, server: FileServer, tmp_path: Path
) -> None:
    server.files["h/500_model.pth"] = content
    with pytest.raises(BundleError, match=r"500_model\.pth"):
        run(server, tmp_path, "h")
    assert files_below(tmp_path) == []


def test_a_bit_that_flipped_in_a_file_of_unknown_digest_is_found_by_its_own_checksums(
    server: FileServer, tmp_path: Path
) -> None:
    middle = len(HEAD) // 2
    server.files["h/500_model.pth"] = HEAD[:middle] + bytes([HEAD[middle] ^ 1]) + HEAD[middle + 1 :]
    with pytest.raises(BundleError, match="damaged"):
        run(server, tmp_path, "h")


def test_pieces_that_do_not_belong_together_are_fetched_anew(server: FileServer, tmp_path: Path) -> None:
    server.script = [Behaviour(cut_after=50_000)]
    with pytest.raises(DownloadError):
        run(server, tmp_path, "m", patience=Patience(tries=1))
    part = tmp_path / "m" / ".partial" / "weights.pt"
    part.write_bytes(bytes(part.stat().st_size))
    said: list[str] = []
    assert run(server, tmp_path, "m", said=said)[0].way is Way.FETCHED
    assert said[0] == "m/weights.pt: 50,000 bytes are there already"
    assert (tmp_path / "m" / "weights.pt").read_bytes() == CONTENT


def test_a_complete_part_that_is_wrong_is_fetched_anew(server: FileServer, tmp_path: Path) -> None:
    server.script = [Behaviour(cut_after=50_000)]
    with pytest.raises(DownloadError):
        run(server, tmp_path, "m", patience=Patience(tries=1))
    (tmp_path / "m" / ".partial" / "weights.pt").write_bytes(bytes(len(CONTENT)))
    assert run(server, tmp_path, "m")[0].way is Way.FETCHED
    assert (tmp_path / "m" / "weights.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("note", [None, b"{}", b"\xff"])
def test_a_part_without_its_note_is_not_continued(note: bytes | None, server: FileServer, tmp_path: Path) -> None:
    folder = tmp_path / "m" / ".partial"
    folder.mkdir(parents=True)
    (folder / "weights.pt").write_bytes(CONTENT[:1000])
    if note is not None:
        (folder / "weights.pt.json").write_bytes(note)
    run(server, tmp_path, "m")
    assert "range" not in server.requests[0].headers
    assert (tmp_path / "m" / "weights.pt").read_bytes() == CONTENT


def test_a_part_that_is_a_link_is_not_written_through(server: FileServer, tmp_path: Path) -> None:
    folder = tmp_path / "m" / ".partial"
    folder.mkdir(parents=True)
    (tmp_path / "precious").write_bytes(b"mine")
    (folder / "weights.pt").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="cannot be written"):
        run(server, tmp_path, "m")
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_of_two_pulls_into_one_folder_the_second_is_refused(server: FileServer, tmp_path: Path) -> None:
    refused: list[str] = []

    def another(request: object) -> Behaviour:
        with pytest.raises(OutputError) as raised:
            run(server, tmp_path, "m")
        refused.append(str(raised.value))
        return Behaviour()

    server.usual = another
    run(server, tmp_path, "m")
    assert len(server.requests) == len(refused) == 1
    assert "in use by another run" in refused[0]


def test_a_mirror_has_the_layout_of_the_folder(server: FileServer, tmp_path: Path) -> None:
    with serving({f"mirror/{name}": content for name, content in FILES.items()}) as mirror:
        run(server, tmp_path, mirror=f"{mirror.address}/mirror/")
        assert [request.path for request in mirror.requests] == ["/mirror/m/weights.pt", "/mirror/h/500_model.pth"]
    assert server.requests == []


@pytest.mark.parametrize("mirror", ["ftp://host", "host/path", "", "https://", "https://a b", "https://a/?token=1"])
def test_what_is_no_mirror(mirror: str) -> None:
    with pytest.raises(SettingsError, match="--mirror"):
        Wishes(mirror=mirror)


@pytest.mark.parametrize("layout", ["{model}/{file}", "{file}"])
def test_an_offline_host_copies_from_a_folder(layout: str, server: FileServer, tmp_path: Path) -> None:
    for name, content in FILES.items():
        model, file = name.split("/")
        place = tmp_path / "usb" / layout.format(model=model, file=file)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    pulled = run(server, tmp_path / "here", source=tmp_path / "usb")
    assert [each.way for each in pulled] == [Way.COPIED, Way.COPIED]
    assert (tmp_path / "here/m/weights.pt").read_bytes() == CONTENT
    assert (tmp_path / "here/m/weights.pt").stat().st_ino != (tmp_path / "usb").stat().st_ino
    assert server.requests == []


def test_a_wrong_or_missing_file_in_the_folder(server: FileServer, tmp_path: Path) -> None:
    source = tmp_path / "usb"
    with pytest.raises(BundleError, match="no such folder"):
        run(server, tmp_path / "here", source=source)
    source.mkdir()
    with pytest.raises(BundleError, match=r"neither m/weights.pt nor weights.pt.*http"):
        run(server, tmp_path / "here", source=source)
    for wrong in (bytes(len(CONTENT)), CONTENT[:-1], CONTENT + b"1"):
        (source / "weights.pt").write_bytes(wrong)
        with pytest.raises(BundleError, match=r"usb/weights.pt"):
            run(server, tmp_path / "here", "m", source=source)
    assert files_below(tmp_path / "here") == []
    assert server.requests == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    run(server, tmp_path / "full", "m")
    for folder in (tmp_path / "full" / "m", tmp_path / "full"):
        folder.chmod(0o555)
    assert run(server, tmp_path / "full", "m")[0].way is Way.KEPT
    (tmp_path / "bare" / "m").mkdir(parents=True)
    (tmp_path / "bare" / "m").chmod(0o555)
    for place in (tmp_path / "full", tmp_path / "bare"):
        with pytest.raises(OutputError, match=str(place)):
            run(server, place, "m", "h")


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_folder() == tmp_path / "cache/virnucpro/downloads"
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert default_folder() == tmp_path / ".cache/virnucpro/downloads"


def test_a_folder_in_which_nothing_can_be_made_even_by_root(server: FileServer) -> None:
    manifest = manifest_of(server.address)
    anywhere = Manifest(format_version=1, models={"self": manifest.models["m"]})
    with pytest.raises(OutputError, match="/proc/self cannot be written"):
        pull(anywhere, ["self"], output=Path("/proc"), wishes=Wishes(), audience=Audience())
    assert server.requests == []


def test_a_file_where_the_folder_should_be(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"mine")
    with pytest.raises(OutputError, match="m cannot be made"):
        run(server, tmp_path, "m")
    assert (tmp_path / "m").read_bytes() == b"mine"
