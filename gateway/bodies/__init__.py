"""The JSON bodies of the public API that only the gateway speaks, one file a topic."""
