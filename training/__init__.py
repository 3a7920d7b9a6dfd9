"""From sequences with labels to the encoders of the demonstration bundle; not part of the installed package."""
