"""Text to vectors: the process behind /v1/embeddings."""

from shared.openmp import wait_briefly

wait_briefly()  # here, because every module that imports llama_cpp comes after it
