"""Ledger: the parts that shards leave, and their compaction into tables.

Read records, parts, planned, merge, compact.
"""
