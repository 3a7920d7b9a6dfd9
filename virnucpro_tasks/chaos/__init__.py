"""The fault drill: injects faults into a private instance while jobs run, and checks that the results are the same."""
