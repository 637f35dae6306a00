"""Drover's own API, as its first clients knew it: one message in, tokens out, the conversation kept by itself."""
