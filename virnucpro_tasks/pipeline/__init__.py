"""What the tasks do: split, embed and finish a job. No queue here, and no process but those of finishing."""
