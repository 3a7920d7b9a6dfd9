"""Model bundles: what they are, how they are made and checked."""
