"""Tokenization: the ESM-2 alphabet and the DNABERT tokenizer, without padding."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from virnucpro_tasks.errors import ExitCode, VirnucproError
from virnucpro_tasks.models.tokenizer import read_tokenizer
from virnucpro_tasks.shards.plan import MAX_RESIDUES

#: Residue letters in the order of the ESM-2 vocabulary, from id 4 on.
RESIDUES = "LAGVSERTIDPKQNFYMHWCXBUZO.-"
FIRST_RESIDUE_ID = 4
CLS_ID = 0
EOS_ID = 2
VOCABULARY_SIZE = 33

_UNKNOWN = -1
_RESIDUE_IDS = np.full(256, _UNKNOWN, dtype=np.int64)
_RESIDUE_IDS[np.frombuffer(RESIDUES.encode(), dtype=np.uint8)] = np.arange(
    FIRST_RESIDUE_ID, FIRST_RESIDUE_ID + len(RESIDUES)
)


class SequenceError(VirnucproError):
    """A sequence cannot be embedded. `index` is its place in the list that was given."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, what: str, *, index: int, hint: str = "") -> None:
        super().__init__(f"sequence {index}: {what}", hint=hint)
        self.index = index


@dataclass(frozen=True, slots=True, eq=False)
class RaggedTokens:
    """Token ids of many sequences: `ids` (T,) int64 one after the other, `lengths` (S,) int64."""

    ids: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def select(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ids of the sequences at `indices`, one after the other, int64."""
        ends = np.cumsum(self.lengths)[indices]
        lengths = self.lengths[indices]
        # One arange over all chosen tokens, shifted per sequence to where it lies in `ids`.
        shift = np.repeat(ends - np.cumsum(lengths), lengths)
        return self.ids[np.arange(lengths.sum(), dtype=np.int64) + shift]

    def masked(self, indices: Collection[int]) -> RaggedTokens:
        """These sequences with all tokens of those at `indices` replaced by one arbitrary token; lengths stay."""
        if not indices:
            return self
        hidden = np.zeros(self.lengths.size, dtype=np.bool_)
        hidden[list(indices)] = True
        return RaggedTokens(np.where(np.repeat(hidden, self.lengths), FIRST_RESIDUE_ID, self.ids), self.lengths)


def tokenize_proteins(proteins: Sequence[str], *, longest: int | None = MAX_RESIDUES) -> RaggedTokens:
    """ESM-2 ids of `proteins` with <cls> in front and <eos> at the end; each is cut after `longest` residues, if any.

    Raises SequenceError for an empty protein or a letter outside the alphabet (`*`, `J`, lower case).
    """
    cut = [protein[:longest] for protein in proteins]
    residues = np.fromiter((len(protein) for protein in cut), dtype=np.int64, count=len(cut))
    if residues.size and residues.min() == 0:
        raise SequenceError("the protein is empty", index=int(residues.argmin()), hint="drop empty proteins before")
    # "replace" keeps one byte a letter, and its "?" is not in the alphabet.
    letters = np.frombuffer("".join(cut).encode("ascii", "replace"), dtype=np.uint8)
    residue_ids = _RESIDUE_IDS[letters]
    if (residue_ids == _UNKNOWN).any():
        first = int((residue_ids == _UNKNOWN).argmax())
        ends = np.cumsum(residues)
        index = int(np.searchsorted(ends, first, side="right"))
        place = first - int(ends[index] - residues[index])
        raise SequenceError(
            f"letter {cut[index][place]!r} at residue {place + 1} is not in the ESM-2 alphabet",
            index=index,
            hint=f"letters are {RESIDUES}, upper case; stop codons must be removed before",
        )
    lengths = residues + 2
    ends = np.cumsum(lengths)
    ids = np.empty(int(lengths.sum()), dtype=np.int64)
    inside = np.ones(ids.size, dtype=np.bool_)
    inside[ends - lengths] = inside[ends - 1] = False
    ids[ends - lengths] = CLS_ID
    ids[ends - 1] = EOS_ID
    ids[inside] = residue_ids
    return RaggedTokens(ids, lengths)


class NucleotideTokenizer:
    """The byte-pair tokenizer of DNABERT-2 and DNABERT-S: [CLS] pieces [SEP]."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, file: Path, *, rows: int) -> NucleotideTokenizer:
        """Read a tokenizer.json for a model of `rows` embedding rows. Raises BundleError, see `read_tokenizer`."""
        return cls(read_tokenizer(file, rows=rows))

    @property
    def vocabulary(self) -> int:
        """Number of ids, special ones counted."""
        return self._tokenizer.get_vocab_size()

    def encode(self, sequences: Sequence[str]) -> RaggedTokens:
        """Ids of upper-case nucleotide sequences of any length. Letters other than ACGT become one [UNK] each."""
        encodings = self._tokenizer.encode_batch_fast(list(sequences))
        rows = [encoding.ids for encoding in encodings]
        lengths = np.fromiter((len(row) for row in rows), dtype=np.int64, count=len(rows))
        flat = (token for row in rows for token in row)
        return RaggedTokens(np.fromiter(flat, dtype=np.int64, count=int(lengths.sum())), lengths)
