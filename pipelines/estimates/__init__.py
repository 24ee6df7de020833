"""Estimates: what a plan will cost in requests, bytes, time and money, before it starts."""
