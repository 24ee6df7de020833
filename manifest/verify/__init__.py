"""Verify: every object against the manifest.

Read verification, tables, objects, values, problems.
"""
