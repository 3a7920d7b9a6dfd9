"""What the operating system gives and refuses: files, processes, locks, streams, limits of the host."""
