"""Shard: one shard, from fields to durable bytes.

Read context, shard, worker, then regrid, encode, reduce, missing and companions.
"""
