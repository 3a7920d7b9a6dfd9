"""Packed embedding by DNABERT-S and ESM-2. Imports torch."""
