"""Text to vectors: the process behind /v1/embeddings."""

from shared.openmp import wait_asleep

wait_asleep()  # here, because every module that imports llama_cpp comes after it
