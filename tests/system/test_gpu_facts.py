from __future__ import annotations

import pytest

from virnucpro_tasks.system import gpu_facts as module
from virnucpro_tasks.system.gpu_facts import gpu_facts
from virnucpro_tasks.system.gpus import Gpu

GPUS = (Gpu(0, "GPU-aa"), Gpu(1, "GPU-bb", ("MIG-1",), (9, 0)))


@pytest.mark.parametrize(
    ("mask", "visible"),
    [
        (None, [True, True]),
        ("", [False, False]),
        ("1", [False, True]),
        ("GPU-a", [True, False]),
        ("MIG-1", [False, True]),
        ("-1", [False, False]),
    ],
)
def test_the_mask_tells_which_are_visible(
    mask: str | None, visible: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_told_by_driver", lambda: {1: ("Big", 80, 70)})
    facts = gpu_facts(GPUS, mask=mask)
    assert [gpu.is_visible for gpu in facts] == visible
    assert [(gpu.name, gpu.total_bytes, gpu.free_bytes) for gpu in facts] == [("GPU", None, None), ("Big", 80, 70)]
    assert facts[1].capability == (9, 0)


def test_without_a_driver_nothing_is_told() -> None:
    assert [gpu.name for gpu in gpu_facts((), mask=None)] == []
