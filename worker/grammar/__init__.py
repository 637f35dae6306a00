"""From what an answer must match to a GBNF grammar, llama.cpp's language for it."""
