"""Files made of a finished folder of results: for people, and for the programs that come next."""
