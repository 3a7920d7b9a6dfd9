"""Train one encoder of the demonstration from scratch.

    python -m training.pretrain esm2 --data FOLDER --minutes 7 --output FOLDER

First masked language modelling alone (15 % of tokens: 80 % masked, 10 % random, 10 % kept), then with it two
classifications of the mean vector, virus or not and which taxon, so that the vector holds what a head needs. A running
mean of the weights is what is validated and saved: at the end of the first part, at the best validation AUROC, and last.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.corpus import Corpus
from training.kinds import KINDS, Kind, dnabert_s_kind, esm2_kind, initialised
from training.sampling import FrameSampler
from training.splits import TRAIN, VALIDATION
from training.stream import batches
from training.validation import Contigs, auroc, contig_auroc, draw_contigs, logistic_regression
from virnucpro_tasks.models.sizes import Esm2Sizes

MASKED, AS_MASK, AS_RANDOM = 0.15, 0.8, 0.1
UNMASKED_SHARE = 0.5
"""Of the sequences of the second part: the head will see whole ones."""

WARM_UP = 0.04
LANGUAGE_WEIGHT, TAXON_WEIGHT = 0.5, 0.2
DECAY, CLIP, SMOOTHING = 0.05, 1.0, 0.05
MEMORY = 0.998
"""Of the running mean of weights, a step."""
DROPOUT = 0.1
EVALUATED_ROWS = 512


class Learner(nn.Module):
    """An encoder with the three parts that only training needs."""

    def __init__(self, kind: Kind, taxa: int, *, seed: int) -> None:
        super().__init__()
        self.kind = kind
        self.encoder = kind.model()
        width = kind.sizes.width
        self.language = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.language_bias = nn.Parameter(torch.zeros(kind.vocabulary))
        self.virus = nn.Linear(width, 1)
        self.taxon = nn.Linear(width, taxa)
        initialised(self, seed=seed)

    def forward(self, tokens: Tensor, *, dropout: float) -> tuple[Tensor, Tensor]:
        """States (B, L, width) and the mean vectors (B, width) as the pipeline computes them."""
        present = tokens != self.kind.pad
        states = self.kind.states(self.encoder, tokens, present, dropout=dropout)
        counted = present if self.kind.ends_count else present & ~self.kind.ends(tokens)
        weights = counted.float()[..., None]
        return states, (states.float() * weights).sum(1) / weights.sum(1)

    def words(self, states: Tensor) -> Tensor:
        """Logits over the vocabulary; the output matrix is the embedding's."""
        embedding = "embed_tokens.weight" if self.kind.name == "esm2" else "embeddings.word_embeddings.weight"
        return functional.linear(self.language(states), self.encoder.get_parameter(embedding), self.language_bias)


def masked(tokens: Tensor, kind: Kind, chosen_rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Tokens with some replaced, and where (B, L) bool, in the rows that `chosen_rows` (B,) bool names."""

    def chance() -> Tensor:
        return torch.rand(tokens.shape, device=tokens.device, generator=generator)

    free = (tokens != kind.pad) & ~kind.ends(tokens) & chosen_rows[:, None]
    places = free & (chance() < MASKED)
    way = chance()
    drawn = torch.randint(kind.first_drawn, kind.last_drawn, tokens.shape, device=tokens.device, generator=generator)
    replaced = torch.where(places & (way < AS_MASK), kind.mask, tokens)
    return torch.where(places & (way >= AS_MASK) & (way < AS_MASK + AS_RANDOM), drawn, replaced), places


class Validator:
    """Scores the same contigs again and again."""

    def __init__(
        self, corpus: Corpus, kind: Kind, folder: Path, *, contigs: int, seed: int, device: torch.device
    ) -> None:
        tokenize = kind.tokenizer(folder)

        def rows(frames: Any) -> Tensor:
            return torch.from_numpy(kind.padded(tokenize(frames))).to(device)

        self.contigs: Contigs = draw_contigs(corpus, VALIDATION, count=contigs, seed=seed)
        self.unseen = rows(self.contigs.frames)
        fitted = FrameSampler(corpus, TRAIN, seed=seed, stream=10**6).sample(10 * contigs)
        self.seen, self.seen_virus = rows(fitted), torch.from_numpy(fitted.virus).to(device)

    def __call__(self, learner: Learner, precision: AbstractContextManager) -> dict[str, float]:
        """AUROC of contigs and of frames by the learner's own output, and of contigs by logistic regression."""
        with torch.no_grad(), precision:
            seen, unseen = (
                torch.cat([learner(part.long(), dropout=0.0)[1] for part in rows.split(EVALUATED_ROWS)])
                for rows in (self.seen, self.unseen)
            )
        own = learner.virus(unseen)[:, 0].detach().float().cpu().numpy()
        fitted = logistic_regression(seen.float(), self.seen_virus)(unseen.float()).cpu().numpy()
        return {
            "contigs": contig_auroc(own, self.contigs),
            "frames": auroc(own, self.contigs.frames.virus),
            "contigs_regression": contig_auroc(fitted, self.contigs),
        }


def groups_of(learner: nn.Module) -> list[dict[str, Any]]:
    """Matrices decay, vectors and embeddings do not."""
    named = list(learner.named_parameters())
    decays = [p for name, p in named if p.dim() > 1 and "embed" not in name]
    keeps = [p for name, p in named if p.dim() <= 1 or "embed" in name]
    return [{"params": decays, "weight_decay": DECAY}, {"params": keeps, "weight_decay": 0.0}]


def rate_at(progress: float) -> float:
    """Share of the highest rate: a short rise, then half a cosine."""
    return min(progress / WARM_UP, 0.5 * (1 + math.cos(math.pi * progress))) if progress < 1 else 0.0


def save(learner: Learner, path: Path, kind: Kind) -> None:
    """Encoder and virus output, FP16, for training/build.py; `sizes` stand beside them."""
    tensors = {f"encoder.{name}": value.half().cpu() for name, value in learner.encoder.named_parameters()}
    tensors |= {f"virus.{name}": value.float().cpu() for name, value in learner.virus.named_parameters()}
    torch.save({"kind": kind.name, "sizes": asdict(kind.sizes), "tensors": tensors}, path)


def train(options: argparse.Namespace) -> None:
    device = torch.device(options.device)
    torch.manual_seed(options.seed)
    torch.backends.cuda.matmul.allow_tf32 = True
    kind = sized(KINDS[options.encoder], options)
    corpus = Corpus.load(options.data / "corpus.npz")
    learner, smooth = (Learner(kind, len(corpus.taxa), seed=options.seed).to(device) for _ in range(2))
    learner.train()
    smooth.eval().requires_grad_(False)  # noqa: FBT003
    live, kept = list(learner.parameters()), list(smooth.parameters())
    optimizer = torch.optim.AdamW(groups_of(learner), lr=kind.rate, betas=(0.9, 0.98), fused=device.type == "cuda")
    half = device.type == "cuda"
    validator = Validator(corpus, kind, options.data, contigs=options.contigs, seed=options.seed, device=device)
    options.output.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator(device).manual_seed(options.seed)
    source = batches(corpus, kind, options.data, batch=options.batch, seed=options.seed, processes=options.processes)

    def precision() -> AbstractContextManager:
        return torch.autocast(device.type, torch.bfloat16, enabled=half)

    began = time.monotonic()
    step, best, next_look, language_saved = 0, 0.0, options.looks[0], False
    history: list[dict[str, float]] = []
    while True:
        spent = (time.monotonic() - began) / (60 * options.minutes)
        progress = step / options.steps if options.steps else spent
        if progress >= next_look or progress >= 1:
            found = {"step": step, "progress": round(progress, 4), **validator(smooth, precision())}
            if step:
                found |= {"loss": loss.item(), "language": language.item(), "virus": virus_loss.item()}
            history.append(found)
            print(kind.name, {name: round(value, 4) for name, value in found.items()}, flush=True)
            (options.output / f"{kind.name}.json").write_text(json.dumps(history, indent=1))
            if not language_saved and progress >= options.language_part:
                save(smooth, options.output / f"{kind.name}.language.pt", kind)
                language_saved = True
            if found["contigs"] > best and progress > options.language_part:
                best = found["contigs"]
                save(smooth, options.output / f"{kind.name}.best.pt", kind)
            next_look = min((look for look in options.looks if look > progress), default=2.0)
        if progress >= 1:
            break
        tokens, virus, taxon = (part.to(device, non_blocking=True) for part in next(source))
        tokens = tokens.long()
        both = progress >= options.language_part
        hidden = torch.rand(len(tokens), device=device, generator=generator) >= (UNMASKED_SHARE if both else 0.0)
        given, places = masked(tokens, kind, hidden, generator)
        for group in optimizer.param_groups:
            group["lr"] = kind.rate * rate_at(progress)
        with precision():
            states, vectors = learner(given, dropout=DROPOUT)
            language = functional.cross_entropy(learner.words(states[places]).float(), tokens[places])
            virus_loss = functional.binary_cross_entropy_with_logits(
                learner.virus(vectors)[:, 0].float(), virus.float() * (1 - SMOOTHING) + SMOOTHING / 2
            )
            taxon_loss = functional.cross_entropy(learner.taxon(vectors).float(), taxon)
            loss = (
                LANGUAGE_WEIGHT * language + virus_loss + TAXON_WEIGHT * taxon_loss
                if both
                # The outputs learn beside, without moving the encoder.
                else language + _beside(learner, vectors, virus, taxon)
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(live, CLIP)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(kept, live, 1 - min(MEMORY, step / (step + 10)))
        step += 1
    save(smooth, options.output / f"{kind.name}.last.pt", kind)
    seconds = time.monotonic() - began
    print(f"{kind.name}: {step} steps, {step * options.batch / seconds:.0f} frames a second", flush=True)


def _beside(learner: Learner, vectors: Tensor, virus: Tensor, taxon: Tensor) -> Tensor:
    fixed = vectors.detach()
    return functional.binary_cross_entropy_with_logits(
        learner.virus(fixed)[:, 0].float(), virus.float()
    ) + functional.cross_entropy(learner.taxon(fixed).float(), taxon)


def sized(kind: Kind, options: argparse.Namespace) -> Kind:
    """`kind` with other sizes, for a trial on a small machine."""
    sizes = replace(
        kind.sizes,
        layers=options.layers or kind.sizes.layers,
        width=options.width or kind.sizes.width,
        heads=options.heads or kind.sizes.heads,
    )
    return esm2_kind(sizes) if isinstance(sizes, Esm2Sizes) else dnabert_s_kind(sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", choices=KINDS)
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--steps", type=int, help="train so many steps, however long it takes")
    parser.add_argument("--batch", type=int, default=512, help="frames")
    parser.add_argument("--language-part", type=float, default=0.3, help="share of the time before classification")
    parser.add_argument("--contigs", type=int, default=1000, help="validation contigs")
    parser.add_argument("--looks", type=int, default=12, help="validations")
    parser.add_argument("--processes", type=int, default=6, help="processes that make batches")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--layers", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--heads", type=int)
    options = parser.parse_args()
    options.looks = np.linspace(0, 1, options.looks + 1)[1:].tolist()
    train(options)


if __name__ == "__main__":
    main()
