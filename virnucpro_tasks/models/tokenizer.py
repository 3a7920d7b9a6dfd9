"""The DNABERT-S tokenizer file: checked, and freed of what training left in it."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.filekind import file_kind

BASES = "ACGT"
FIRST_TOKEN, LAST_TOKEN, UNKNOWN_TOKEN = "[CLS]", "[SEP]", "[UNK]"


def read_tokenizer(path: Path, *, rows: int) -> Tokenizer:
    """A tokenizer.json with padding and truncation switched off; `rows` is the number of embedding rows.

    Raises BundleError if it does not put [CLS] before and [SEP] behind a sequence, does not know the four bases, or
    has more tokens than there are rows.
    """
    file_kind(path)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    # The library raises plain Exception for every kind of bad file.
    except Exception as error:
        raise BundleError(f"this is not a tokenizer file ({error})", path=path) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    frame = [tokenizer.token_to_id(FIRST_TOKEN), tokenizer.token_to_id(LAST_TOKEN)]
    ids = tokenizer.encode(BASES).ids
    if None in frame or [ids[:1], ids[-1:]] != [frame[:1], frame[1:]]:
        raise BundleError(f"it does not put {FIRST_TOKEN} before and {LAST_TOKEN} behind a sequence", path=path)
    if tokenizer.token_to_id(UNKNOWN_TOKEN) is None or tokenizer.token_to_id(UNKNOWN_TOKEN) in ids:
        raise BundleError(f"it does not know the letters {BASES}, or has no {UNKNOWN_TOKEN}", path=path)
    tokens = max(tokenizer.get_vocab().values()) + 1
    if tokens > rows:
        raise BundleError(f"it has {tokens} tokens, the model only {rows} embedding rows", path=path)
    return tokenizer
