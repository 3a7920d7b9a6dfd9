from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def changed(folder: Path, **parts: Any) -> Path:
    """A valid tokenizer file in which `parts` are replaced; entries of `model` are merged."""
    content = json.loads(train_tokenizer(SEQUENCES, vocabulary=20).to_str())
    model = content["model"] | parts.pop("model", {})
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(content | parts | {"model": model}))
    return file


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "5", '"x"', "{", "[" * 100_000, '{"model": 5}', '{"model": {"type": "BPE"}}', "<html>"],
)
def test_other_content(text: str, tmp_path: Path, refused: Callable) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text(text)
    refused(file, read_tokenizer, file, rows=10)


def test_a_good_one_passes(tmp_path: Path) -> None:
    assert read_tokenizer(changed(tmp_path), rows=20).encode("ACGT").ids[0] == 1


DOUBLES = {"type": "Replace", "pattern": {"String": "A"}, "content": "AA"}


@pytest.mark.parametrize(
    "parts",
    [
        {"normalizer": {"type": "Sequence", "normalizers": [DOUBLES] * 64}},
        {"normalizer": {"type": "Lowercase"}},
        {"normalizer": "NFC"},
        {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
        {"pre_tokenizer": ["Whitespace"]},
        {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}},
        {"post_processor": {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}},
        {"model": {"dropout": 0.5}},
        {"model": {"dropout": "x"}},
        {"model": {"type": "WordPiece"}},
        {"model": {"vocab": {}}},
        {"model": {"vocab": []}},
        {"model": {"vocab": {"[UNK]": -1}}},
        {"model": {"vocab": {"[UNK]": 2**40}}},
        {"model": {"merges": [["A", "nothing"]]}},
        {"model": {"merges": "x"}},
        {"model": {"unk_token": None, "vocab": {"[CLS]": 1, "[SEP]": 2, "A": 3}}},
        {"added_tokens": [{"id": 10**6, "content": "[CLS]", "special": True}]},
        {"added_tokens": "x"},
        {"version": "99.0"},
    ],
    ids=lambda parts: str(parts)[:50],
)
def test_pipeline_of_another_kind(parts: dict, tmp_path: Path, refused: Callable) -> None:
    file = changed(tmp_path, **parts)
    started = time.monotonic()
    refused(file, read_tokenizer, file, rows=20)
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("ids", [[1, 999], [999], [], [1, 1]])
def test_frame_tokens_that_stand_for_other_ids(ids: list[int], tmp_path: Path, refused: Callable) -> None:
    """Such ids bypass the vocabulary, and would be read beyond the end of the embedding matrix."""
    template = json.loads(train_tokenizer(SEQUENCES, vocabulary=20).to_str())["post_processor"]
    template["special_tokens"]["[CLS]"] |= {"ids": ids, "tokens": ["[CLS]"] * len(ids)}
    file = changed(tmp_path, post_processor=template)
    refused(file, read_tokenizer, file, rows=20)


def test_frame_token_without_an_entry(tmp_path: Path, refused: Callable) -> None:
    """The library panics with an error that is not an Exception."""
    template = json.loads(train_tokenizer(SEQUENCES, vocabulary=20).to_str())["post_processor"]
    del template["special_tokens"]["[SEP]"]
    template["single"][-1]["SpecialToken"]["id"] = "absent"
    file = changed(tmp_path, post_processor=template)
    refused(file, read_tokenizer, file, rows=20)


def test_an_interrupt_is_not_taken_for_a_bad_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("virnucpro_tasks.models.tokenizer.Tokenizer.from_str", interrupt, raising=False)
    with pytest.raises(KeyboardInterrupt):
        read_tokenizer(changed(tmp_path), rows=20)


@pytest.mark.parametrize("length", [-1, 0, 2**62, "x"])
def test_padding_and_truncation_of_any_kind_are_left_out(length: object, tmp_path: Path) -> None:
    truncation = {"direction": "Right", "max_length": length, "strategy": "LongestFirst", "stride": 99}
    file = changed(tmp_path, padding={"strategy": {"Fixed": length}}, truncation=truncation)
    assert len(read_tokenizer(file, rows=20).encode("A" * 300).ids) > 20


def test_cut_off(tmp_path: Path, refused: Callable) -> None:
    file = changed(tmp_path)
    content = file.read_bytes()
    for length in range(len(content)):
        file.write_bytes(content[:length])
        refused(file, read_tokenizer, file, rows=20)
