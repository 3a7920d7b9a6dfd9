"""Triton kernels for what stands between the matrix products, one concept a file. Importing any needs Triton.

They take FP16 or BF16 on a CUDA device and compute in FP32 inside. Sizes are run-time arguments, so that one
compilation a model serves packs of every shape.
"""
