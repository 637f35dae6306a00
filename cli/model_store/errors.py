"""What can go wrong with a model's file; every message is one sentence that says what to do."""


class ModelStoreError(Exception):
    """The models folder cannot do what was asked; the message is for the person at the terminal."""
