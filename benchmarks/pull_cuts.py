"""Cuts 'virnucpro models pull' off at random bytes, and counts what is fetched twice.

Each pull fetches a file of random bytes from a server on this host, which counts the bytes that it sends, and is cut
off several times: by the server that ends the connection, Ctrl-C or kill -9. After each cut the file must not be there,
and what is kept must be its beginning. Bytes that were sent and not kept are fetched again: they can only be those on
their way, in the buffers of the two sockets. So all is done twice: with a server that sends at the speed of a network,
and with one that fills the buffers as fast as this host can.

    python benchmarks/pull_cuts.py [--cuts 200] [--megabytes 32] [--seed 1] [--output benchmarks/results]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fingerprint import fingerprint, write_result

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from models.file_server import BLOCK_BYTES, Behaviour, FileServer, serving

CUTS_A_PULL = 10
SPEEDS = {"12 MB/s": BLOCK_BYTES / 12e6, "unlimited": 0.0}
"""Seconds from one block to the next."""

KINDS = ("connection lost", "Ctrl-C", "kill -9")
NAME = "weights.pt"
HEADER = ("server", "cut by", "cuts", "wrong files", "bytes fetched again", "a cut", "at one cut, at most")


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut: its kind, the byte of the file at which it came, and the bytes that had been sent and were not kept."""

    speed: str
    kind: str
    at_byte: int
    lost_bytes: int


class Pull:
    """One file on its way, from `server` into `folder`."""

    def __init__(self, server: FileServer, folder: Path, content: bytes, speed: str) -> None:
        self._server, self._content, self._speed = server, content, speed
        self.final = folder / "out" / "m" / NAME
        self._part = self.final.parent / ".partial" / NAME
        file = {"name": NAME, "url": f"{server.address}/{NAME}", "bytes": len(content)}
        file["sha256"] = hashlib.sha256(content).hexdigest()
        texts = {"title": "T", "page": "https://example.org", "licence": "none", "licence_from": "none"}
        manifest = folder / "manifest.json"
        model = {"part": "esm2", "files": [file]} | texts
        manifest.write_text(json.dumps({"format_version": 1, "models": {"m": model}}))
        self._command = [
            *(sys.executable, "-m", "virnucpro_tasks.cli.main", "models", "pull", "m"),
            *("--manifest", str(manifest), "--output", str(folder / "out")),
        ]

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | {"NO_PROXY": "*"}
        )

    def finish(self) -> None:
        """Run to the end without a cut; the file must be there and right."""
        process = self.start()
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
        assert self.final.read_bytes() == self._content, "a wrong file"

    def cut(self, kind: str, after_bytes: int) -> Cut:
        """Cut off when `after_bytes` more were sent, or at the end of the file."""
        kept_before = self._kept()
        process: list[subprocess.Popen[bytes]] = []
        number = {"Ctrl-C": signal.SIGINT, "kill -9": signal.SIGKILL}.get(kind)

        def interrupt() -> None:
            if number is not None:
                process[0].send_signal(number)
                process[0].wait()

        self._server.script = [Behaviour(cut_after=after_bytes, then=interrupt, block_seconds=SPEEDS[self._speed])]
        # After a lost connection the command would go on by itself: that its server is gone ends it.
        self._server.usual = lambda request: Behaviour(status=404)
        sent_before = self._server.sent
        process.append(self.start())
        process[0].wait()
        self._server.usual = lambda request: Behaviour()
        sent, kept = self._server.sent - sent_before, self._kept()
        assert not self.final.exists(), "a file that is not complete has its name"
        return Cut(self._speed, kind, kept_before + sent, kept_before + sent - kept)

    def missing(self) -> int:
        return len(self._content) - self._kept()

    def _kept(self) -> int:
        if not self._part.exists():
            return 0
        kept = self._part.read_bytes()
        assert self._content.startswith(kept), "what is kept is not the beginning of the file"
        return len(kept)


def pull_with_cuts(content: bytes, cuts: int, speed: str, places: random.Random) -> tuple[list[Cut], int]:
    """Pull the file once, cut off so many times; the cuts, and all bytes that the server has sent."""
    made = []
    with tempfile.TemporaryDirectory() as folder, serving({NAME: content}) as server:
        pull = Pull(server, Path(folder), content, speed)
        for number in range(cuts):
            # On average the rest is shared by the cuts to come.
            most = max(1, 2 * pull.missing() // (cuts - number + 1))
            made.append(pull.cut(places.choice(KINDS), places.randrange(min(most, pull.missing()))))
        pull.finish()
        return made, server.sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    places = random.Random(options.seed)
    content = places.randbytes(options.megabytes * 1_000_000)
    began, made, sent, pulls = time.monotonic(), [], 0, 0
    for speed in SPEEDS:
        for first in range(0, options.cuts, CUTS_A_PULL):
            cuts, bytes_sent = pull_with_cuts(content, min(CUTS_A_PULL, options.cuts - first), speed, places)
            made += cuts
            sent += bytes_sent
            pulls += 1
    lost = sum(cut.lost_bytes for cut in made)
    assert sent == pulls * len(content) + lost
    rows = []
    for speed in SPEEDS:
        for kind in (*KINDS, "all"):
            losses = [cut.lost_bytes for cut in made if cut.speed == speed and kind in (cut.kind, "all")]
            figures = [sum(losses), sum(losses) // max(1, len(losses)), max(losses, default=0)]
            rows.append([speed, kind, str(len(losses)), "0", *(f"{figure:,}" for figure in figures)])
    buffers = {name: Path("/proc/sys/net/ipv4", name).read_text().split()[-1] for name in ("tcp_rmem", "tcp_wmem")}
    content_of_file = {
        "machine": fingerprint(), "pulls": pulls, "file_bytes": len(content), "sent_bytes": sent, "lost_bytes": lost,
        "seconds": round(time.monotonic() - began, 1), "most_bytes_of_buffers": buffers,
        "rows": [dict(zip(HEADER, row, strict=True)) for row in rows],
    }  # fmt: skip
    write_result(options.output / "pull_cuts", content_of_file, rows=rows, header=HEADER)


if __name__ == "__main__":
    main()
