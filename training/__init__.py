"""Training, from labelled sequences, of the encoders of the demonstration bundle; not part of the installed package."""
