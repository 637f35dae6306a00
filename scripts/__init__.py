"""Set-up and page makers, run by make."""
