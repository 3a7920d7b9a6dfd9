"""Triton kernels for the operations between the matrix products, one per file. Importing them needs Triton.

They take FP16 or BF16 on a CUDA device and compute in FP32. Sizes are run-time arguments, so that each model is
compiled once for packs of every shape.
"""
