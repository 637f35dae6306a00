"""OpenAI's completions of raw text: their body, and the answers of one or several prompts in their shape."""
