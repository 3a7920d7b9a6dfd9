"""Result tables as pandas DataFrames: ids letter by letter, numbers as numbers, NA as missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from virnucpro_tasks.errors import DamagedError, InputError
from virnucpro_tasks.models.sizes import CLASSES
from virnucpro_tasks.output import fields
from virnucpro_tasks.output.chunks import CHUNK_COLUMNS
from virnucpro_tasks.output.evidence import Evidence
from virnucpro_tasks.output.records import RECORD_COLUMNS
from virnucpro_tasks.output.table import SAMPLE_COLUMN
from virnucpro_tasks.reads.tables import FRAME_NAMES, Status
from virnucpro_tasks.system.extras import require_extra

if TYPE_CHECKING:
    import pandas
    import pyarrow

WHOLE_NUMBERS, NUMBERS, NUMBERS_OR_NA, NAMES = "int64", "float64", "Int64", "category"
TYPES_BY_FORMAT = {
    fields.integers: WHOLE_NUMBERS,
    fields.integer_texts: WHOLE_NUMBERS,
    fields.fraction_texts: NUMBERS,
    fields.scores: NUMBERS,
    fields.score_texts: NUMBERS,
    fields.mates: NUMBERS_OR_NA,
    fields.calls: NAMES,
    fields.names: NAMES,
    fields.statuses: NAMES,
    fields.repeated_texts: NAMES,
}
"""The type of a column by the function that writes it; other columns are text."""

TYPES = {
    column.name: TYPES_BY_FORMAT[column.write]
    for columns in (RECORD_COLUMNS, CHUNK_COLUMNS)
    for column in columns
    if column.write in TYPES_BY_FORMAT
} | {SAMPLE_COLUMN.name: NAMES}

CALLS = CLASSES[::-1]
CATEGORIES = {
    "call": (CALLS, False),
    "status": (tuple(Status), False),
    "evidence": (tuple(Evidence)[::-1], True),
}
"""The names that these columns can have, and whether they are in order; anything else, such as NA, is missing."""

LONGEST_ROW_BYTES = 2**24
"""More than the two texts of a row can have, each of which is a part of a header."""

FRAME_COLUMNS = ("record_id", "record", "chunk", "frame", "call", "others_score", "virus_score")


def read_frame(file: Path, *, columns: Iterable[str] | None = None) -> pandas.DataFrame:
    """The rows of a table such as records.tsv, with all columns or with some.

    Text is a `str`, in which bytes that are no UTF-8 are surrogates, as in file names: `os.fsencode` gives the bytes.
    Raises BackendError without pandas, DamagedError for a file that is missing or no such table, InputError for a
    column that it has not.
    """
    require_extra("pandas")
    import pandas

    table = _read(file, columns=columns)
    return pandas.DataFrame({name: _series(name, table[name]) for name in table.column_names})


def read_frames(file: Path, chunks: Path) -> pandas.DataFrame:
    """The scored frames of prediction_results.txt in either dialect, with the numbers of their records by chunks.tsv.

    `others_score` and `virus_score` are the float32 that were computed, `call` is that of the frame. Raises as
    `read_frame` does, also if the two files do not go together.
    """
    require_extra("pandas")
    import pandas

    table = _read(file, is_quoted=False)
    frame_ids, called, others, virus = (table[name] for name in table.column_names)
    scored = _read(chunks, columns=("record_id", "record", "chunk", "frames"))
    counts = scored["frames"].to_numpy()
    if counts.sum() != table.num_rows:
        raise DamagedError(file)
    rows = np.repeat(np.arange(len(counts)), counts)
    ids = _texts(scored["record_id"])[rows]
    suffix = len(FRAME_NAMES[0])
    frames = [name[-suffix:].decode() for name in frame_ids.to_pylist()]
    found = (
        pandas.Series(ids, dtype=object),
        scored["record"].to_numpy()[rows],
        scored["chunk"].to_numpy()[rows],
        pandas.Categorical(frames, categories=FRAME_NAMES),
        pandas.Categorical(_texts(called), categories=pandas.Index(CALLS, dtype=object)),
        others.to_numpy().astype(np.float32),
        virus.to_numpy().astype(np.float32),
    )
    return pandas.DataFrame(dict(zip(FRAME_COLUMNS, found, strict=True)))


def join_samples(frames: Mapping[str, pandas.DataFrame]) -> pandas.DataFrame:
    """The rows of all samples, with a last column that names them."""
    import pandas

    joined = pandas.concat(frames.values(), ignore_index=True)
    codes = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames.values()])
    joined[SAMPLE_COLUMN.name] = pandas.Categorical.from_codes(codes, categories=list(frames))
    return joined


def _read(file: Path, *, columns: Iterable[str] | None = None, is_quoted: bool = True) -> pyarrow.Table:
    """The columns of a table, text as bytes."""
    import pyarrow
    from pyarrow import csv

    kinds = {WHOLE_NUMBERS: pyarrow.int64(), NUMBERS_OR_NA: pyarrow.int64(), NUMBERS: pyarrow.float64()}
    legacy = {"score1": NUMBERS, "score2": NUMBERS}
    try:
        with file.open("rb") as handle:
            header = handle.readline().rstrip(b"\n").decode().split("\t")
    except (OSError, ValueError) as error:
        raise DamagedError(file) from error
    chosen = header if columns is None else list(columns)
    if unknown := [name for name in chosen if name not in header]:
        raise InputError(f"it has no column {unknown[0]!r}, but {', '.join(header)}", file=str(file))
    try:
        return csv.read_csv(
            file,
            read_options=csv.ReadOptions(block_size=LONGEST_ROW_BYTES),
            parse_options=csv.ParseOptions(
                delimiter="\t",
                quote_char='"' if is_quoted else False,
                newlines_in_values=is_quoted,
                ignore_empty_lines=False,
            ),
            convert_options=csv.ConvertOptions(
                column_types={name: kinds.get((TYPES | legacy).get(name, ""), pyarrow.binary()) for name in header},
                include_columns=chosen,
                null_values=[fields.NOT_AVAILABLE.decode()],
                strings_can_be_null=False,
            ),
        )
    except (OSError, ValueError) as error:
        raise DamagedError(file) from error


def _series(name: str, column: pyarrow.ChunkedArray) -> Any:
    import pandas

    kind = TYPES.get(name, "")
    if kind == NUMBERS_OR_NA:
        return pandas.array(column.to_pylist(), dtype=NUMBERS_OR_NA)
    if kind in (WHOLE_NUMBERS, NUMBERS):
        return column.to_numpy()
    if kind == NAMES:
        encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
        texts = [text.decode(errors="surrogateescape") for text in encoded.dictionary.to_pylist()]
        found = pandas.Categorical.from_codes(encoded.indices.to_numpy(), categories=pandas.Index(texts, dtype=object))
        names, is_ordered = CATEGORIES.get(name, (texts, False))
        return found.set_categories(pandas.Index([str(text) for text in names], dtype=object), ordered=is_ordered)
    return pandas.Series(_texts(column), dtype=object)


def _texts(column: pyarrow.ChunkedArray) -> np.ndarray[Any, Any]:
    """Texts as `str` objects: the string type of pandas holds no surrogates."""
    texts = np.empty(len(column), object)
    texts[:] = [text.decode(errors="surrogateescape") for text in column.to_pylist()]
    return texts
