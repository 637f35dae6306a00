"""Text to vectors: the process behind /v1/embeddings."""
