"""Checkpoints: state dicts of other code, read without running any of it, made into models, and written."""
