"""The parts of fp8_parity.py and gpu_parity.py."""
