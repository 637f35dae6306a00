"""Engines: what turns a batch of tokens into the next ones."""

from shared.openmp import wait_briefly

wait_briefly()  # here, because every module that imports llama_cpp comes after it
