"""The demo models: how each is made, and the catalogue of them."""
