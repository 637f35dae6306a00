"""The models folder as the command line changes it: files that come and go, and their entries in models.toml."""
