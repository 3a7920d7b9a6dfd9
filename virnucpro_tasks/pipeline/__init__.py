"""The work of the tasks: split, embed, score, repair and finish. Knows no queue; starts only the finishing processes."""
