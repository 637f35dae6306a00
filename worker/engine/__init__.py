"""Engines: what turns a batch of tokens into the next ones."""
