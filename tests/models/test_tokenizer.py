from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from virnucpro_tasks.errors import BundleError
from virnucpro_tasks.models.demo import train_tokenizer
from virnucpro_tasks.models.tokenizer import read_tokenizer

SEQUENCES = ["ACGTTGCAACGGATTACA" * 5]


def saved(tokenizer: Tokenizer, folder: Path) -> Path:
    file = folder / "tokenizer.json"
    tokenizer.save(str(file))
    return file


def test_padding_of_the_published_copy_is_switched_off(shared: Path) -> None:
    folder = shared / "reference/dnabert-s"
    padded = folder / "upstream-variants/tokenizer_dnabert-s_copy_with_padding2000.json"
    plain = read_tokenizer(folder / "tokenizer.json", rows=4096)
    freed = read_tokenizer(padded, rows=4096)
    assert len(Tokenizer.from_file(str(padded)).encode("ACGTACGT").ids) == 2000
    assert freed.encode("ACGTACGTNNACG").ids == plain.encode("ACGTACGTNNACG").ids
    assert freed.padding is None
    assert freed.truncation is None


def test_more_tokens_than_rows(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(SEQUENCES, vocabulary=20)
    file = saved(tokenizer, tmp_path)
    assert read_tokenizer(file, rows=tokenizer.get_vocab_size()).get_vocab() == tokenizer.get_vocab()
    with pytest.raises(BundleError, match="embedding rows"):
        read_tokenizer(file, rows=tokenizer.get_vocab_size() - 1)


def test_without_frame_tokens(tmp_path: Path) -> None:
    from tokenizers.models import BPE

    tokenizer = Tokenizer(BPE({"[UNK]": 0, "A": 1, "C": 2, "G": 3, "T": 4}, [], unk_token="[UNK]"))
    with pytest.raises(BundleError, match=r"\[CLS\] before"):
        read_tokenizer(saved(tokenizer, tmp_path), rows=10)


def test_without_the_four_bases(tmp_path: Path) -> None:
    from tokenizers.models import BPE
    from tokenizers.processors import TemplateProcessing

    tokenizer = Tokenizer(BPE({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}, [], unk_token="[UNK]"))
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair=None, special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    with pytest.raises(BundleError, match="ACGT"):
        read_tokenizer(saved(tokenizer, tmp_path), rows=10)


def test_other_json(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match="not a tokenizer"):
        read_tokenizer(tmp_path / "tokenizer.json", rows=10)
