"""The operating system: files, processes, locks, streams and limits of the host, and what their errors mean."""
