"""The schemes that are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

KINDS = ("qkv", "out", "fc1", "fc2")
FEED_FORWARD = ("fc1", "fc2")
WITHOUT_FC2 = ("qkv", "out", "fc1")
SHARES = {"qkv": 3 / 12, "out": 1 / 12, "fc1": 4 / 12, "fc2": 4 / 12}


@dataclass(frozen=True)
class Scheme:
    """How operands become FP8, and in which layers. `group` is "tensor", "row" or the columns of a block."""

    group: str | int = "row"
    kinds: tuple[str, ...] = KINDS
    smooth: float | None = None
    offset: str = ""
    gptq: bool = False
    twice: str = ""
    rank: int = 0
    only: str = ""
    skip_first: int = 0
    skip_last: int = 0
    half: bool = False
    integer: bool = False
    by_sequence: bool = False
    calibration: str = "64"

    @property
    def name(self) -> str:
        if self.half:
            return "FP16 operands"
        parts = ["int8"] * self.integer + [f"block {self.group}" if isinstance(self.group, int) else self.group]
        parts += [self.offset] * bool(self.offset)
        parts += [f"smooth {self.smooth}"] * (self.smooth is not None)
        parts += ["gptq"] * self.gptq
        parts += ["by sequence"] * self.by_sequence
        parts += [f"hi+lo {self.twice}"] * bool(self.twice)
        parts += [f"low rank {self.rank}"] * bool(self.rank)
        parts += [f"{self.only} only"] * bool(self.only)
        parts += [f"first {self.skip_first} in FP16"] * bool(self.skip_first)
        parts += [f"last {self.skip_last} in FP16"] * bool(self.skip_last)
        parts += [f"calibrated on {self.calibration}"] * (self.calibration != "64")
        return ", ".join(parts)

    @property
    def label(self) -> str:
        return f"{self.name} / {'+'.join(self.kinds)}"

    def layers(self, count: int) -> range:
        return range(self.skip_first, count - self.skip_last)

    def cost(self, count: int) -> float:
        """Time of the products by the operations in them, FP16 being 1 and FP8 twice as fast; `rank` not counted."""
        factor = {"": 1, "activation": 2, "both": 3}[self.twice]
        share = sum(SHARES[kind] for kind in self.kinds) * len(self.layers(count)) / count
        return 1.0 if self.half else 1 - share + share * factor / 2


def schemes() -> list[Scheme]:
    row, best = Scheme(), Scheme(offset="mean", gptq=True)
    parts = (FEED_FORWARD, WITHOUT_FC2)
    found = [Scheme(half=True), *(Scheme(group) for group in ("tensor", "row", 128, 64, 32))]
    found += [Scheme(group, kinds) for kinds in parts for group in ("tensor", "row", 128)]
    found += [Scheme(kinds=(kind,), offset=offset) for kind in KINDS for offset in ("", "mean")]
    found += [replace(row, only=only, offset=offset) for only in ("weight", "activation") for offset in ("", "mean")]
    for kinds in (KINDS, *parts):
        offsets = ("", "mean", "residue")
        found += [Scheme(kinds=kinds, offset=offset, gptq=gptq) for offset in offsets for gptq in (False, True)]
        found += [Scheme(kinds=kinds, smooth=alpha) for alpha in (0.3, 0.5, 0.65, 0.8)]
    found += [replace(row, offset="mean", smooth=alpha) for alpha in (0.3, 0.5, 0.65, 0.8)]
    found += [Scheme(kinds=kinds, offset="mean", smooth=0.5) for kinds in parts]
    found += [replace(best, smooth=0.5), replace(row, group=128, offset="mean")]
    found += [replace(row, skip_first=first, skip_last=last) for first, last in ((1, 0), (0, 1), (1, 1))]
    found += [replace(best, skip_first=first, skip_last=last) for first, last in ((1, 0), (0, 1), (1, 1), (2, 2))]
    found += [replace(best, rank=rank) for rank in (8, 32)]
    found += [replace(row, twice="activation"), replace(row, offset="mean", twice="both")]
    found += [
        replace(scheme, calibration=calibration)
        for scheme in (Scheme(offset="mean"), best)
        for calibration in ("16", "256", "64 random")
    ]
    found += [replace(best, offset="residue", calibration=calibration) for calibration in ("16", "256", "64 random")]
    found += [Scheme(integer=True, smooth=smooth) for smooth in (None, 0.5)]
    found += [Scheme(integer=True, offset="mean", smooth=alpha) for alpha in (None, 0.5)]
    found += [Scheme(integer=True, offset="mean", smooth=alpha, gptq=True) for alpha in (None, 0.5)]
    found += [Scheme(integer=True, kinds=kinds, offset="mean", smooth=0.5) for kinds in parts]
    found += [
        Scheme(kinds=kinds, by_sequence=True, offset=offset, gptq=gptq)
        for kinds in (KINDS, *parts)
        for offset, gptq in (("", False), ("mean", False), ("mean", True), ("residue", True))
    ]
    found += [Scheme(kinds=(kind,), by_sequence=True, offset="mean") for kind in KINDS]
    found += [Scheme(128, by_sequence=True, offset="mean"), Scheme(integer=True, by_sequence=True)]
    found += [Scheme(integer=True, by_sequence=True, offset="mean", smooth=0.5, gptq=gptq) for gptq in (False, True)]
    return list(dict.fromkeys(found))
