"""Work of the earlier tools (the original, versions 1.0 and 2.0 of the package): its files, and the proof of them."""
