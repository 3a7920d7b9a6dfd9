"""Recovery of lost work: attempts, bisection to the records at fault, quarantine, takeover by another worker."""
