"""`drover chat` on a terminal: lines that can be edited, commands that begin with a slash, answers as they come."""
