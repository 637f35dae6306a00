"""The JSON bodies that services exchange over HTTP, one file a topic."""
