"""Anthropic's messages API, as a thin translation: its bodies to an ask, a job's answer to its content blocks."""
