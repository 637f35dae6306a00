"""The HTTP endpoints, one file a topic: they translate and nothing else."""
