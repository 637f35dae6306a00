"""The gateway: HTTP in, job out, events back."""
