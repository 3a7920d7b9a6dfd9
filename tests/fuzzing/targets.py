"""Fuzzing targets: each reads bytes made by others, and returns or raises a VirnucproError.

The tests run them for a moment, `campaign.py` for any time.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from fuzzing.job_files import JOB_ID, JOB_TARGETS
from fuzzing.target import Target, folder, json_bytes, written
from reads.bam_files import Read, bam_bytes
from reads.zstd_files import zstd_with_checksum
from safetensors.numpy import save

from virnucpro_tasks.classifier.head import load_head
from virnucpro_tasks.classifier.head_files import CONFIG_FILE, TENSORS_FILE
from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.heads.labels import Labels
from virnucpro_tasks.jobs.sample_sheet import read_sample_sheet
from virnucpro_tasks.models.bundle import Bundle, read_bundle
from virnucpro_tasks.models.card import check_card, check_chunk_length, check_weights, read_card
from virnucpro_tasks.models.locate import demo_bundle
from virnucpro_tasks.models.pickled import CLASSIFIER_CLASSES, FAIR_ESM_CLASSES
from virnucpro_tasks.models.sizes import HeadSizes
from virnucpro_tasks.models.tokenizer import read_tokenizer
from virnucpro_tasks.models.weights import read_weights
from virnucpro_tasks.queue.arguments import SHARD_TASK, check_arguments
from virnucpro_tasks.reads.bam import BAM_MAGIC
from virnucpro_tasks.reads.batches import ReadInput, frame_batches
from virnucpro_tasks.reads.records import Limits
from virnucpro_tasks.settings import load_settings

LIMITS = Limits(header_bytes=200, bases=4_000, fastq_record_bytes=8_000, kept_id_bytes=16)
FASTA = b">one text\nACGTNNRYacgu\nGGCC\n>two\n" + b"ACGTTGCAGG" * 12 + b"\n"
FASTQ = b"@one\nACGTAC\n+\nIIIIII\n@two\nGGGCCC\n+two\n!!!!!!\n"
ALIGNMENTS = (Read("p", "ACGTTGCAGG" * 8, 77), Read("p", "GGCCNACGT" * 9, 141), Read("x", "ACGT", 16), Read("y", "", 4))
PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    gzip.compress,
    partial(bz2.compress, compresslevel=1),
    partial(lzma.compress, preset=0),
    zstd_with_checksum,
)


def read_sequences(data: bytes) -> None:
    """An input file, plain or compressed; the counts of its two tables agree."""
    inputs = [ReadInput(written(data, "reads"), "reads")]
    for batch in frame_batches(inputs, chunk_length=300, limits=LIMITS):
        assert batch.frames.num_rows == sum(batch.chunks["frames"].to_pylist())


def read_packed(data: bytes) -> None:
    """A compressed file: the first byte selects the compression, and whether it is cut off or continued."""
    how = data[0] if data else 0
    pack, other = PACKERS[how % 4], PACKERS[how // 4 % 4]
    packed = pack(data[1:])
    if how & 16:
        packed = packed[: len(packed) * (how >> 5) // 8]
    elif how & 32:
        packed += pack(FASTA) if how & 64 else b"\0" * 700
    elif how & 128:
        packed = other(packed)
    read_sequences(packed)


def read_alignments(data: bytes) -> None:
    """A BAM file with this content behind its magic, rightly compressed."""
    read_sequences(gzip.compress(BAM_MAGIC + data, 1))


def read_sheet(data: bytes) -> None:
    """A sample sheet; what it lists lies in its folder, under names that are those of folders."""
    file = written(data, "sheet/sheet.csv")
    written(FASTA, "sheet/reads.fa")
    for listed in read_sample_sheet(file, reserved=("records.tsv",)):
        assert (file.parent / "results" / listed.sample).parent == file.parent / "results"
        assert listed.sample not in ("records.tsv", ".", "..") and listed.path.is_file()


@cache
def bundle_folder() -> Path:
    """A copy of the demonstration."""
    return Path(shutil.copytree(demo_bundle().path, folder() / "bundle"))


def read_member(name: str) -> Callable[[bytes], object]:
    """A target that replaces the JSON file `name` of a bundle."""
    whole = demo_bundle().path / name

    def run(data: bytes) -> None:
        place = bundle_folder() / name
        place.write_bytes(data)
        try:
            read_bundle(bundle_folder())
        finally:
            place.write_bytes(whole.read_bytes())

    return run


def read_head(data: bytes) -> None:
    """A classifier file with a right digest."""
    description = demo_bundle().description
    path = written(data, "headed/head/model.safetensors").parents[1]
    (path / CONFIG_FILE).write_bytes((demo_bundle().path / CONFIG_FILE).read_bytes())
    digests = description.sha256 | {TENSORS_FILE: hashlib.sha256(data).hexdigest()}
    widths = {"nucleotide_width": 2, "protein_width": 3}
    load_head(Bundle(path, msgspec.structs.replace(description, sha256=digests, **widths)))


def read_foreign_weights(data: bytes) -> None:
    """A weight file of any kind; a tensor of it can be used."""
    for tensor in read_weights(
        written(data, "weights"), allowed=(*CLASSIFIER_CLASSES, *FAIR_ESM_CLASSES)
    ).tensors.values():
        tensor.sum()


def read_pickle(data: bytes) -> None:
    """A torch file of the current format that contains this pickle."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", bytes(16))
        archive.writestr("archive/data/1", bytes(4))
        archive.writestr("archive/version", "3\n")
    read_foreign_weights(packed.getvalue())


def read_safetensors(data: bytes) -> None:
    """A safetensors file with this header, its length stated correctly."""
    header = b"{" + data
    read_foreign_weights(len(header).to_bytes(8, "little") + header + bytes(16))


def read_index(data: bytes) -> None:
    """An index of weight files."""
    written(SAFETENSORS, "model-1.safetensors")
    read_weights(written(data, "model.safetensors.index.json"))


def read_vocabulary(data: bytes) -> None:
    """A tokenizer file."""
    read_tokenizer(written(data, "tokenizer.json"), rows=4_096)


def read_model_card(data: bytes) -> None:
    """The card of a head, and all checks against it."""
    file = written(data, "card.json")
    card = read_card(file)
    for check in (
        partial(check_card, chunk_length=500, sha256={"esm2/model.safetensors": "1" * 64}),
        partial(check_chunk_length, chunk_length=300),
        partial(check_weights, weights={"esm2": "2" * 64, "dnabert-s": "0" * 64}),
    ):
        with suppress(BundleError):
            check(file, card)


def read_labels(data: bytes) -> None:
    """A table of labels."""
    Labels.read(written(data, "labels.tsv"))


def read_settings(data: bytes) -> None:
    """A settings file: TOML if its first byte is a `t`."""
    name = "settings.toml" if data[:1] == b"t" else "settings.yaml"
    load_settings(file=written(data[1:], name), environment={})


def check_message(data: bytes) -> None:
    """A message of the queue as JSON: task, positional arguments, keyword arguments."""
    try:
        task, arguments, options = json.loads(data)
    except (ValueError, TypeError, RecursionError):
        return
    if not (isinstance(task, str) and isinstance(arguments, list) and isinstance(options, dict)):
        return
    check_arguments(task, arguments, options)
    # Accepted arguments name a job and a shard, and nothing else.
    assert isinstance(arguments[0], str) and len(arguments[0]) == len(JOB_ID) and "/" not in arguments[0]
    assert len(arguments) == 1 + (task == SHARD_TASK) and all(type(number) is int for number in arguments[1:])


WAS_HERE = Path(tempfile.gettempdir()) / "virnucpro-fuzz-was-here"


class Executes:
    """Runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {WAS_HERE}",)


def torch_file(content: object, *, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def pickle_of(content: object) -> bytes:
    with zipfile.ZipFile(io.BytesIO(torch_file(content))) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def tar_file() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("../../pickle")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"\x80\x02N."))
    return file.getvalue()


STATES = {"a.weight": torch.ones(2, 2), "b": torch.zeros(1)}
SAFETENSORS = save({"a": STATES["a.weight"].numpy()})
HEAD = save({name: np.ones(shape, np.float32) for name, shape in HeadSizes(width=5, hidden=4).shapes().items()})
DEMO = demo_bundle().path
CARD = {
    "head": {"chunk_length": 500},
    "encoders": {
        **{"nucleotide": "DNABERT-S", "protein": "ESM-2 8M", "weights": {"esm2": "0" * 64, "dnabert-s": "0" * 64}},
        "sha256": {"esm2/model.safetensors": "0" * 64},
    },
}
INDEX = {"weight_map": {"a": "model-1.safetensors", "b": "../x", "c": "c.bin"}}

TARGETS: dict[str, Target] = {
    "sequences": Target(
        read_sequences, (FASTA, FASTQ, *(pack(FASTA) for pack in PACKERS), b"\xef\xbb\xbf\r\n" + FASTA)
    ),
    "BAM": Target(read_alignments, (gzip.decompress(bam_bytes(folder(), *ALIGNMENTS)).removeprefix(BAM_MAGIC),)),
    "sample sheet": Target(
        read_sheet,
        (b"sample,file,file2\nA,reads.fa,\n", b"# x\nsample\tfastq_1\nA\treads.fa\n", b'sample;file\n"A";"reads.fa"\n'),
    ),
    "packed sequences": Target(read_packed, tuple(bytes([how]) + FASTA for how in (0, 1, 2, 3, 17, 35, 130, 255))),
    "bundle.json": Target(read_member("bundle.json"), ((DEMO / "bundle.json").read_bytes(),)),
    "config.json": Target(read_member("esm2/config.json"), ((DEMO / "esm2/config.json").read_bytes(),)),
    "head": Target(read_head, (HEAD, HEAD.replace(b"F32", b"F16"), HEAD.replace(b"F32", b"U8"), SAFETENSORS)),
    "weights": Target(
        read_foreign_weights,
        (
            SAFETENSORS,
            torch_file(STATES),
            torch_file(STATES, zipped=False),
            torch_file({"model": Executes()}),
            tar_file(),
        ),
    ),
    "pickle": Target(read_pickle, (pickle_of(STATES), pickle_of({"model": STATES}), pickle_of({"model": Executes()}))),
    "safetensors header": Target(read_safetensors, (SAFETENSORS[9:-16],)),
    "weight index": Target(read_index, (json_bytes(INDEX), json_bytes({"weight_map": {"a": "model-1.safetensors"}}))),
    "tokenizer": Target(read_vocabulary, ((DEMO / "dnabert-s/tokenizer.json").read_bytes(),)),
    "model card": Target(read_model_card, (json_bytes(CARD), json_bytes(CARD | {"encoders": {"sha256": {}}}))),
    "labels": Target(read_labels, (b"id\tlabel\tgroup\ttaxon\nr0\tvirus\tg\tt\nr1\tothers\t\t\n",)),
    "settings": Target(
        read_settings,
        (b"ystore: /x\nlease_seconds: 5\nbroker_url: redis://h/0\n", b'tstore = "/x"\nlease_seconds = 5\n'),
    ),
    **JOB_TARGETS,
    "messages": Target(
        check_message,
        (
            json_bytes([SHARD_TASK, [JOB_ID, 3], {}]),
            json_bytes(["virnucpro.split_job", [JOB_ID], {}]),
            json_bytes(["virnucpro.finish_job", ["../../etc"], {"a": 1}]),
        ),
    ),
}
