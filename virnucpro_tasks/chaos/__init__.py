"""The drill: faults on a private instance while jobs run, and the proof that nothing came of them."""
