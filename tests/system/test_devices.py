"""The devices that are chosen from `--devices` and CUDA_VISIBLE_DEVICES."""

from __future__ import annotations

import pytest

from virnucpro_tasks.errors import BackendError
from virnucpro_tasks.system.devices import MAX_AUTOMATIC_CPU_SLOTS, choose_devices, visible_devices, visible_uuids
from virnucpro_tasks.system.gpus import Gpu

FOUR = tuple(Gpu(index, f"GPU-{index}aaaaaaa-1111") for index in range(4))
MIG = (Gpu(0, "GPU-0aaaaaaa-1111", ("MIG-5bbbbbbb-2222", "MIG-6bbbbbbb-2222")), FOUR[1])


def chosen(asked: str, *, mask: str | None = None, gpus: tuple[Gpu, ...] | None = FOUR, cores: int = 16):
    choice = choose_devices(asked, mask=mask, gpus=gpus, cores=cores)
    return [(slot.name, slot.cuda_visible_devices) for slot in choice.slots]


@pytest.mark.parametrize(
    ("asked", "mask", "gpus", "expected"),
    [
        ("0", None, FOUR, [("gpu0", "0")]),
        ("cuda:1", None, FOUR, [("gpu1", "1")]),
        ("3, 1", None, FOUR, [("gpu3", "3"), ("gpu1", "1")]),
        ("1", "2,3", FOUR, [("gpu3", "3")]),
        ("0,1", "3,0", FOUR, [("gpu3", "3"), ("gpu0", "0")]),
        ("0", "GPU-2aaaaaaa-1111", FOUR, [("gpu-2aaaaaaa", "GPU-2aaaaaaa-1111")]),
        ("0", "MIG-5bbbbbbb-2222", MIG, [("mig-5bbbbbbb", "MIG-5bbbbbbb-2222")]),
        ("GPU-2aaaaaaa-1111", None, FOUR, [("gpu-2aaaaaaa", "GPU-2aaaaaaa-1111")]),
        ("GPU-2aaaaaaa-1111", "1,2", FOUR, [("gpu-2aaaaaaa", "GPU-2aaaaaaa-1111")]),
        ("GPU-2aaaaaaa", "GPU-2aaaaaaa-1111", FOUR, [("gpu-2aaaaaaa", "GPU-2aaaaaaa")]),
        ("cpu", None, FOUR, [("cpu0", "")]),
        ("cpu,cpu", "", (), [("cpu0", ""), ("cpu1", "")]),
        ("cpu,0,cpu", None, FOUR, [("cpu0", ""), ("gpu0", "0"), ("cpu1", "")]),
        ("none", None, FOUR, []),
        ("CPU", None, FOUR, [("cpu0", "")]),
        (" cpu , CPU ", None, (), [("cpu0", ""), ("cpu1", "")]),
        ("cpu:0", None, (), [("cpu0", "")]),
        ("gpu:1", None, FOUR, [("gpu1", "1")]),
        ("GPU:1", None, FOUR, [("gpu1", "1")]),
        ("gpu1", None, FOUR, [("gpu1", "1")]),
        ("CUDA:0,cuda:1", None, FOUR, [("gpu0", "0"), ("gpu1", "1")]),
        ("gpu", None, FOUR, [(f"gpu{index}", str(index)) for index in range(4)]),
        ("CUDA", "2,3", FOUR, [("gpu2", "2"), ("gpu3", "3")]),
        ("gpu,cpu", "3", FOUR, [("gpu3", "3"), ("cpu0", "")]),
        ("gpu-2aaaaaaa-1111", None, FOUR, [("gpu-2aaaaaaa", "GPU-2aaaaaaa-1111")]),
        # without NVML named devices are not checked, and the mask still counts
        ("2", None, None, [("gpu2", "2")]),
        ("1", "2,3", None, [("gpu3", "3")]),
        ("auto", None, FOUR, [(f"gpu{index}", str(index)) for index in range(4)]),
        ("auto", "2,3", FOUR, [("gpu2", "2"), ("gpu3", "3")]),
        ("auto", "2,-1,3", FOUR, [("gpu2", "2")]),
        ("auto", "2,9,3", FOUR, [("gpu2", "2")]),
        (
            "auto",
            None,
            MIG,
            [("mig-5bbbbbbb", "MIG-5bbbbbbb-2222"), ("mig-6bbbbbbb", "MIG-6bbbbbbb-2222"), ("gpu1", "1")],
        ),
    ],
)
def test_slots(asked: str, mask: str | None, gpus, expected) -> None:
    assert chosen(asked, mask=mask, gpus=gpus) == expected


@pytest.mark.parametrize(
    ("asked", "mask", "gpus", "says"),
    [
        ("4", None, FOUR, r"'4' is not visible here \(visible: 0 = 0, 1 = 1, 2 = 2, 3 = 3\)"),
        ("2", "2,3", FOUR, r"'2' is not visible here \(visible: 0 = 2, 1 = 3\)"),
        ("0", "", FOUR, "no GPU is visible; use cpu"),
        ("0", None, (), "no GPU is visible; use cpu"),
        ("0", "-1", FOUR, "no GPU is visible; use cpu"),
        ("GPU-2aaaaaaa-1111", "1,3", FOUR, "'GPU-2aaaaaaa-1111' is not visible here"),
        ("gpu", None, (), "device 'gpu' is not visible here .no GPU is visible; use cpu"),
        ("cuda", "", FOUR, "no GPU is visible; use cpu"),
        ("cuda", None, None, "cannot be listed without the package nvidia-ml-py"),
        ("gpu,0", None, FOUR, "device '0' is the same GPU as 'gpu'"),
        ("0,,1", None, FOUR, "--devices '0,,1' names an empty device"),
        ("0,0", None, FOUR, "device '0' is the same GPU as '0'"),
        ("0,cuda:0", None, FOUR, "device 'cuda:0' is the same GPU as '0'"),
        ("0,GPU-0aaaaaaa-1111", None, FOUR, "is the same GPU as '0'"),
        ("0,1", "2,2", FOUR, "device '1' is the same GPU as '0'"),
        ("tpu", None, FOUR, "device 'tpu' is not understood"),
        ("", None, FOUR, "--devices '' names an empty device"),
        ("0,auto", None, FOUR, r"device 'auto' cannot be one of several \(give auto alone"),
        ("cpu,NONE", None, FOUR, "device 'none' cannot be one of several"),
        ("-1", None, FOUR, "device '-1' is not understood"),
    ],
)
def test_refused(asked: str, mask: str | None, gpus, says: str) -> None:
    with pytest.raises(BackendError, match=says):
        chosen(asked, mask=mask, gpus=gpus)


@pytest.mark.parametrize(
    ("mask", "gpus", "reason"),
    [
        (None, (), "no GPU found"),
        ("", FOUR, "CUDA_VISIBLE_DEVICES='' leaves no GPU"),
        (None, None, "without the NVIDIA driver and the package nvidia-ml-py"),
        ("0", None, "without the NVIDIA driver and the package nvidia-ml-py"),
    ],
)
@pytest.mark.parametrize(
    ("cores", "threads", "count"), [(1, 1, 1), (3, 1, 3), (64, 1, MAX_AUTOMATIC_CPU_SLOTS), (4, 2, 2), (2, 8, 1)]
)
def test_auto_without_a_gpu_says_so(mask: str | None, gpus, reason: str, cores: int, threads: int, count: int) -> None:
    choice = choose_devices("auto", mask=mask, gpus=gpus, cores=cores, cpu_threads=threads)
    assert [slot.name for slot in choice.slots] == [f"cpu{number}" for number in range(count)]
    assert reason in choice.note
    assert f"{count} CPU worker" in choice.note


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (9, 4), (None, 4)])
@pytest.mark.parametrize(("gpus", "kind"), [(FOUR, "gpu"), ((), "cpu")])
def test_auto_chooses_no_more_than_there_is_work_for(most: int | None, count: int, gpus, kind: str) -> None:
    choice = choose_devices("auto", mask=None, gpus=gpus, cores=16, most_automatic=most)
    assert [slot.name for slot in choice.slots] == [f"{kind}{number}" for number in range(count)]
    assert choice.note.endswith(f"; {4 - count} more would have no part of this input") == (count < 4)
    named = choose_devices("cpu,cpu,cpu", mask=None, gpus=gpus, cores=16, most_automatic=most)
    assert len(named.slots) == 3


def test_unknown_gpus_without_a_mask_stay_unknown() -> None:
    assert visible_devices(None, None) is None
    assert visible_devices("", None) == ()


@pytest.mark.parametrize(
    ("mask", "uuids"),
    [
        (None, ("GPU-aa", "MIG-1", "MIG-2")),
        ("0", ("GPU-aa",)),
        ("GPU-b", ("GPU-bb",)),
        ("MIG-2", ("MIG-2",)),
        ("", ()),
        ("-1", ()),
    ],
)
def test_the_full_uuids_of_what_is_visible(mask: str | None, uuids: tuple[str, ...]) -> None:
    assert visible_uuids(mask, (Gpu(0, "GPU-aa"), Gpu(1, "GPU-bb", ("MIG-1", "MIG-2")))) == uuids
