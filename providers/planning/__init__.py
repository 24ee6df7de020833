"""Requests to each kind of provider: arithmetic alone."""
