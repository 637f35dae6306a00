"""OpenAI's chat completions: their body, and a job's answer in their shape, as a stream or whole."""
