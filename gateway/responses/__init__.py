"""OpenAI's stateful API: responses and conversations, told of turns and sessions."""
