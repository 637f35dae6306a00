"""all-MiniLM-L6-v2: from its PyPI package to a GGUF file."""
