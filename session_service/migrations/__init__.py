"""The migrations of the session service's tables."""
