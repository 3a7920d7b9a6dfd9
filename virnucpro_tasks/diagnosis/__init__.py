"""Checks of an installation and its deployment, as `virnucpro doctor` prints them."""
