"""The work of the tasks: split, embed, score, repair and finish. Knows no queue; starts finishing processes alone."""
