"""What happens when work is lost: attempts, bisection to the records at fault, quarantine, takeover by others."""
