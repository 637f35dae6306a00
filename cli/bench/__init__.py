"""Measuring a server with OpenAI's API: streams read, times counted, figures summed up."""
