"""The models of a bundle once more, independent of the engine: in FP32, one sequence at a time."""
