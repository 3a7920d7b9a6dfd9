"""Build the forward pass of flash-attn for one GPU and heads of up to 64 channels in FP16, in minutes instead of hours.

For trying the backend where no built package is at hand; results are those of the full package. Left out are training,
BF16, causal masks, dropout, ALiBi, windows and a split of the keys: asking for one of them raises.

    pip download flash-attn==2.8.3.post2 --no-deps --no-binary :all:     (or fetch the sdist by hand, and unpack it)
    python benchmarks/build_flash_attn.py flash_attn-2.8.3.post2 TARGET
    PYTHONPATH=TARGET python benchmarks/gpu_attention.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

KERNELS = ("flash_fwd_hdim32_fp16_sm80.cu", "flash_fwd_hdim64_fp16_sm80.cu")
CALLS = {
    "run_mha_fwd_<elem_type, kHeadDim, Is_causal>(params, stream);": (
        'TORCH_CHECK(!Is_causal, "built without causal masks");'
        " run_mha_fwd_<elem_type, kHeadDim, false>(params, stream);"
    ),
    "run_mha_fwd_splitkv_dispatch<elem_type, kHeadDim, Is_causal>(params, stream);": (
        'TORCH_CHECK(false, "built without a split of the keys");'
    ),
    "run_mha_bwd_<elem_type, kHeadDim, Is_causal>(params, stream);": 'TORCH_CHECK(false, "built without training");',
}
SWITCHES = """
#undef FP16_SWITCH
#define FP16_SWITCH(COND, ...) \\
  [&] { TORCH_CHECK(COND, "built for FP16 only"); using elem_type = cutlass::half_t; return __VA_ARGS__(); }()
#undef HEADDIM_SWITCH
#define HEADDIM_SWITCH(HEADDIM, ...) \\
  [&] { \\
    TORCH_CHECK(HEADDIM <= 64, "built for heads of up to 64 channels"); \\
    if (HEADDIM <= 32) { constexpr static int kHeadDim = 32; return __VA_ARGS__(); } \\
    constexpr static int kHeadDim = 64; return __VA_ARGS__(); \\
  }()
"""
LEFT_OUT = ("DROPOUT", "ALIBI", "SOFTCAP", "LOCAL")
HALF_OPERATORS = ("HALF_OPERATORS", "HALF_CONVERSIONS", "HALF2_OPERATORS", "BFLOAT16_CONVERSIONS")


def restricted_sources(package: Path, folder: Path) -> list[str]:
    """Copy the sources to `folder`, leave out what is not built; returns the files to compile."""
    shutil.copytree(package / "csrc" / "flash_attn", folder)
    interface = folder / "flash_api.cpp"
    text = interface.read_text()
    for call, instead in CALLS.items():
        if text.count(call) != 1:
            raise SystemExit(f"{interface}: not the sources this was written for: {call!r}")
        text = text.replace(call, instead)
    interface.write_text(text)
    with (folder / "src" / "static_switch.h").open("a") as switches:
        switches.write(SWITCHES)
    return [str(interface), *(str(folder / "src" / kernel) for kernel in KERNELS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the unpacked source distribution")
    parser.add_argument("target", type=Path, help="an empty folder, for PYTHONPATH")
    options = parser.parse_args()
    import torch
    from torch.utils.cpp_extension import load

    major, minor = torch.cuda.get_device_capability()
    os.environ["TORCH_CUDA_ARCH_LIST"] = f"{major}.{minor}"
    started = time.monotonic()
    sources = restricted_sources(options.package, options.target / "sources")
    load(
        "flash_attn_2_cuda",
        sources,
        extra_cflags=["-O3", "-std=c++17"],
        extra_cuda_cflags=[
            *("-O3", "-std=c++17", "--expt-relaxed-constexpr", "--expt-extended-lambda", "--use_fast_math"),
            *(f"-U__CUDA_NO_{name}__" for name in HALF_OPERATORS),
            *(f"-DFLASHATTENTION_DISABLE_{name}" for name in LEFT_OUT),
        ],
        extra_include_paths=[
            *(str(options.target / "sources"), str(options.target / "sources" / "src")),
            str((options.package / "csrc" / "cutlass" / "include").resolve()),
        ],
        build_directory=str(options.target),
        is_python_module=False,
    )
    shutil.copytree(options.package / "flash_attn", options.target / "flash_attn")
    print(f"built in {time.monotonic() - started:.0f} s for compute capability {major}.{minor}")


if __name__ == "__main__":
    main()
