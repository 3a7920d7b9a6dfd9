"""Train one encoder of the demonstration from scratch.

    python -m training.pretrain esm2 --data FOLDER --minutes 7 --output FOLDER

First masked language modelling alone, then with it two classifications of the mean vector, virus or not and which
taxon, so that the vector holds what a head needs. A running mean of the weights is what is validated and saved: at the
end of the first part, at the best validation AUROC, and last. All three are in NAME.pt, which is written anew at each
validation; NAME.json has the figures. Equal arguments with --steps give equal weights on equal machines; with --minutes
the number of steps depends on the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from training.corpus import CORPUS_FILE, Corpus
from training.kinds import KINDS, Kind, dnabert_s_kind, esm2_kind
from training.learner import Learner, Losses, hidden
from training.sampling import Frames, FrameSampler
from training.splits import TRAIN, VALIDATION
from training.stream import batches
from training.validation import auroc, contig_auroc, draw_contigs, logistic_regression
from virnucpro_tasks.models.sizes import Esm2Sizes

WHOLE_SHARE = 0.5
"""Share of the sequences of the second part that are not masked, because the head will see whole ones."""
WARM_UP = 0.04
DECAY, CLIP = 0.05, 1.0
MEMORY = 0.998
"""Decay of the running mean of weights, for each step."""
ROWS_AT_ONCE = 512
FITTED_FRAMES = 4
"""Frames that the logistic regression is fitted on, for each validation contig."""


class Validator:
    """Scores the same contigs again and again."""

    def __init__(self, corpus: Corpus, kind: Kind, options: argparse.Namespace, device: torch.device) -> None:
        tokenize = kind.tokenizer(options.data)

        def rows(frames: Frames) -> Tensor:
            return torch.from_numpy(kind.padded(tokenize(frames))).to(device)

        self.contigs = draw_contigs(corpus, VALIDATION, count=options.contigs, seed=options.seed)
        self.unseen = rows(self.contigs.frames)
        # A stream of its own, far from those of the batches.
        sampler = FrameSampler(corpus, TRAIN, seed=options.seed, stream=10**6)
        fitted = sampler.sample(FITTED_FRAMES * options.contigs)
        self.seen, self.seen_virus = rows(fitted), torch.from_numpy(fitted.virus).to(device)

    def __call__(self, learner: Learner, precision: AbstractContextManager) -> dict[str, float]:
        """AUROC of contigs and of frames by the learner's own output, and of contigs by logistic regression."""
        with torch.no_grad(), precision:
            seen, unseen = (
                torch.cat([learner(part.long())[1] for part in rows.split(ROWS_AT_ONCE)])
                for rows in (self.seen, self.unseen)
            )
            own = learner.virus(unseen)[:, 0].float().cpu().numpy()
        fitted = logistic_regression(seen, self.seen_virus)(unseen).cpu().numpy()
        return {
            "contigs": contig_auroc(own, self.contigs),
            "frames": auroc(own, self.contigs.frames.virus),
            "contigs_regression": contig_auroc(fitted, self.contigs),
        }


class Run:
    """Everything that changes while an encoder trains."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.device = torch.device(options.device)
        self.kind = sized(KINDS[options.encoder], options)
        self.corpus = Corpus.load(options.data / CORPUS_FILE)
        taxa = len(self.corpus.taxa)
        self.learner, self.smooth = (Learner(self.kind, taxa, seed=options.seed).to(self.device) for _ in range(2))
        self.smooth.requires_grad_(requires_grad=False)
        if options.begin_with:
            begun = load_file(options.begin_with / self.kind.name / "model.safetensors", device=str(self.device))
            for learner in (self.learner, self.smooth):
                learner.encoder.load_state_dict({name: value.float() for name, value in begun.items()}, strict=False)
        if options.compile:
            self.learner.states = torch.compile(self.kind.states, dynamic=False)
        self.optimizer = torch.optim.AdamW(decay_groups(self.learner), lr=self.kind.rate, betas=(0.9, 0.98))
        self.generator = torch.Generator(self.device).manual_seed(options.seed)
        self.validator = Validator(self.corpus, self.kind, options, self.device)
        self.steps = 0
        self.saved: dict[str, dict[str, Tensor]] = {}
        self.history: list[dict[str, float]] = []

    def precision(self) -> AbstractContextManager:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def step(self, batch: tuple[Tensor, Tensor, Tensor], *, progress: float) -> Losses:
        """One step at `progress` (0 to 1) of the whole training."""
        options = self.options
        teach = progress >= options.language_part
        tokens, virus, taxon = (part.to(self.device, non_blocking=True) for part in batch)
        tokens = tokens.long()
        chance = torch.rand(len(tokens), device=self.device, generator=self.generator)
        given, places = hidden(tokens, self.kind, chance >= (WHOLE_SHARE if teach else 0), self.generator)
        for group in self.optimizer.param_groups:
            group["lr"] = self.kind.rate * options.rate_share * rate_at(progress)
        with self.precision():
            losses = self.learner.losses(tokens, given, places, virus, taxon, dropout=options.dropout, teach=teach)
        language_weight, taxon_weight = (options.language_weight, options.taxon_weight) if teach else (1, 1)
        loss = language_weight * losses.language + losses.virus + taxon_weight * losses.taxon
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        live = list(self.learner.parameters())
        nn.utils.clip_grad_norm_(live, CLIP)
        self.optimizer.step()
        with torch.no_grad():
            memory = min(MEMORY, self.steps / (self.steps + 10))
            torch._foreach_lerp_(list(self.smooth.parameters()), live, 1 - memory)
        self.steps += 1
        return losses

    def validate(self, losses: Losses, *, progress: float, seconds: float) -> None:
        """Validate, print, save."""
        found = {
            "progress": round(progress, 4),
            "seconds": round(seconds, 1),
            "steps": self.steps,
            **{name: round(value.item(), 4) for name, value in zip(Losses.__slots__, each(losses), strict=True)},
            **{name: round(value, 4) for name, value in self.validator(self.smooth, self.precision()).items()},
        }
        taught = progress > self.options.language_part
        if not taught:
            self.saved["language"] = self.weights()
        elif found["contigs"] > max((past["contigs"] for past in self.history if past["taught"]), default=0):
            self.saved["best"] = self.weights()
        if progress >= 1:
            self.saved["last"] = self.weights()
        self.history.append(found | {"taught": taught})
        print(self.options.name, found, flush=True)
        place = self.options.output / self.options.name
        stated = {name: str(value) for name, value in vars(self.options).items()}
        report = {"options": stated, "sizes": msgspec.structs.asdict(self.kind.sizes), "looks": self.history}
        place.with_suffix(".json").write_text(json.dumps(report, indent=1))
        torch.save(
            {"kind": self.kind.name, "sizes": msgspec.structs.asdict(self.kind.sizes)} | self.saved,
            place.with_suffix(".pt"),
        )

    def weights(self) -> dict[str, Tensor]:
        """The running means, FP16 on the host: `encoder.` by the names of a bundle, and `virus.`"""
        named = self.smooth.named_parameters()
        return {name: value.half().cpu() for name, value in named if name.startswith(("encoder.", "virus."))}


def each(losses: Losses) -> list[Tensor]:
    return [losses.language, losses.virus, losses.taxon]


def train(options: argparse.Namespace) -> None:
    """Train until the minutes or steps of `options` are over."""
    torch.manual_seed(options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    run = Run(options)
    source = batches(
        run.corpus, run.kind, options.data, batch=options.batch, seed=options.seed, processes=options.processes
    )
    # Before the clock starts: the first step compiles and warms up, and its rate is zero.
    run.step(next(source), progress=0.0)
    began = time.monotonic()
    progress, validations = 0.0, 0
    while progress < 1:
        losses = run.step(next(source), progress=progress)
        seconds = time.monotonic() - began
        progress = min(1.0, run.steps / options.steps if options.steps else seconds / (60 * options.minutes))
        if progress * options.looks >= validations + 1:
            validations = int(progress * options.looks)
            run.validate(losses, progress=progress, seconds=seconds)
    print(f"{options.name}: {run.steps * options.batch / seconds:.0f} frames a second", flush=True)


def decay_groups(learner: nn.Module) -> list[dict[str, Any]]:
    """Matrices decay; vectors and embeddings do not."""
    named = list(learner.named_parameters())
    matrices = [value for name, value in named if value.dim() > 1 and "embed" not in name]
    others = [value for name, value in named if value.dim() <= 1 or "embed" in name]
    return [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]


def rate_at(progress: float) -> float:
    """Share of the highest rate: a short rise, then half a cosine."""
    return min(progress / WARM_UP, 0.5 * (1 + math.cos(math.pi * progress)))


def sized(kind: Kind, options: argparse.Namespace) -> Kind:
    """`kind` with other sizes, for a trial on a small machine."""
    given = {name: getattr(options, name) for name in ("layers", "width", "heads") if getattr(options, name)}
    sizes = msgspec.structs.replace(kind.sizes, **given)
    return esm2_kind(sizes) if isinstance(sizes, Esm2Sizes) else dnabert_s_kind(sizes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", choices=KINDS)
    parser.add_argument("--name", help="of the output files; by default the encoder's")
    parser.add_argument("--data", type=Path, required=True, help="folder written by training.prepare")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=7.0, help="without reading the data")
    parser.add_argument("--steps", type=int, help="train so many steps, however long it takes")
    parser.add_argument("--batch", type=int, default=256, help="frames")
    parser.add_argument("--language-part", type=float, default=0.3, help="share of the time before classification")
    parser.add_argument("--language-weight", type=float, default=0.5, help="of its loss in the second part")
    parser.add_argument("--taxon-weight", type=float, default=0.2, help="of its loss in the second part")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--begin-with", type=Path, help="bundle whose encoder is trained further")
    parser.add_argument("--rate-share", type=float, default=1.0, help="of the encoder's highest learning rate")
    parser.add_argument("--contigs", type=int, default=1200, help="validation contigs")
    parser.add_argument("--looks", type=int, default=14, help="validations")
    parser.add_argument("--processes", type=int, default=4, help="processes that make batches")
    parser.add_argument("--compile", action="store_true", help="fuse what the encoder computes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seed", type=int, default=20)
    for size in ("layers", "width", "heads"):
        parser.add_argument(f"--{size}", type=int, help="other than the demonstration's")
    options = parser.parse_args()
    options.name = options.name or options.encoder
    train(options)


if __name__ == "__main__":
    main()
