from __future__ import annotations

import numpy as np
import pytest
import torch

from virnucpro_tasks.embed.attention import resolve_backend
from virnucpro_tasks.embed.budget import CPU_TOKENS
from virnucpro_tasks.embed.encoder import DeviceMemoryError, EmbeddingStopped, Encoder, NonFiniteError
from virnucpro_tasks.embed.tokens import tokenize_proteins

PROTEINS = ["MKL", "AAAAAAAA", "MKLC", "WW", "MKLV"]
CYSTEINE = 23


class TokenModel:
    """A model whose state of a token is its id, four wide; that of an id in `broken` is infinite."""

    width = 4

    def __init__(self, broken: tuple[int, ...] = ()) -> None:
        self.attention = resolve_backend("sdpa", "cpu")
        self.broken = torch.tensor(broken, dtype=torch.int64)
        self.calls = 0

    def __call__(self, tokens, segments):
        self.calls += 1
        states = tokens.float()[:, None].repeat(1, self.width)
        states[torch.isin(tokens, self.broken)] = torch.inf
        return states


def encoder_of(model, load_fp32=None):
    return Encoder(
        "esm2",
        model,
        load_fp32=load_fp32,
        device=torch.device("cpu"),
        token_budget=12,
        skip_first=1,
        skip_last=1,
    )


def expected_vectors():
    ragged = tokenize_proteins(PROTEINS)
    return np.array([row[1:-1].mean() for row in np.split(ragged.ids, np.cumsum(ragged.lengths)[:-1])], np.float32)


def test_vectors_come_in_input_order_with_the_counters():
    model = TokenModel()
    vectors, stats = encoder_of(model).encode(tokenize_proteins(PROTEINS), should_stop=lambda: False)
    np.testing.assert_allclose(vectors, np.repeat(expected_vectors()[:, None], 4, axis=1), rtol=1e-6)
    assert vectors.dtype == np.float32
    assert (len(vectors), stats.tokens, stats.packs) == (5, 31, model.calls)
    assert stats.token_fill == pytest.approx(31 / (12 * stats.packs))
    assert stats.recomputed_packs == 0 and stats.attention == {"esm2": "sdpa"}


def test_a_pack_with_infinity_is_recomputed_and_counted():
    loaded = []

    def load_fp32():
        loaded.append(TokenModel())
        return loaded[-1]

    encoder = encoder_of(TokenModel(broken=(CYSTEINE,)), load_fp32)
    for _ in range(2):
        vectors, stats = encoder.encode(tokenize_proteins(PROTEINS), should_stop=lambda: False)
        np.testing.assert_allclose(vectors[:, 0], expected_vectors(), rtol=1e-6)
        assert stats.recomputed_packs == 1
    assert len(loaded) == 1 and loaded[0].calls == 2


@pytest.mark.parametrize("reduced", [False, True])
def test_infinity_in_fp32_names_the_sequences(reduced):
    load_fp32 = (lambda: TokenModel(broken=(CYSTEINE,))) if reduced else None
    encoder = encoder_of(TokenModel(broken=(CYSTEINE,)), load_fp32)
    with pytest.raises(NonFiniteError, match="esm2 gives NaN or infinity in FP32 for sequences 2") as caught:
        encoder.encode(tokenize_proteins(PROTEINS), should_stop=lambda: False)
    assert caught.value.indices == [2]


def test_stopping_is_asked_before_every_pack():
    model = TokenModel()
    answers = iter([False, False, True])
    with pytest.raises(EmbeddingStopped):
        encoder_of(model).encode(tokenize_proteins(PROTEINS), should_stop=lambda: next(answers))
    assert model.calls == 2


def test_nothing_gives_an_empty_matrix():
    vectors, stats = encoder_of(TokenModel()).encode(tokenize_proteins([]), should_stop=lambda: True)
    assert vectors.shape == (0, 4) and stats.packs == 0


class SmallModel(TokenModel):
    """A model that runs out of memory for packs of more than `tokens` tokens."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.room = tokens

    def __call__(self, tokens, segments):
        if len(tokens) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().__call__(tokens, segments)


def test_a_pack_too_large_for_the_device_is_halved_and_no_sequence_is_lost():
    encoder = encoder_of(SmallModel(10))
    vectors, stats = encoder.encode(tokenize_proteins(PROTEINS), should_stop=lambda: False)
    np.testing.assert_allclose(vectors[:, 0], expected_vectors(), rtol=1e-6)
    assert stats.out_of_memory > 0
    # The next list is packed smaller from the start.
    assert encoder.token_budget == 12 // 2**stats.out_of_memory
    _, again = encoder.encode(tokenize_proteins(PROTEINS), should_stop=lambda: False)
    assert again.out_of_memory == 0


def test_a_single_sequence_without_room_is_named():
    with pytest.raises(DeviceMemoryError, match="no memory on the device for one sequence of 10 tokens"):
        encoder_of(SmallModel(9)).encode(tokenize_proteins(PROTEINS), should_stop=lambda: False)


def test_without_a_budget_a_cpu_takes_its_own():
    encoder = Encoder(
        "esm2",
        TokenModel(),
        load_fp32=None,
        device=torch.device("cpu"),
        token_budget=None,
        skip_first=1,
        skip_last=1,
    )
    assert encoder.token_budget == CPU_TOKENS
