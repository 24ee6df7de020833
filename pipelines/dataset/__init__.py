"""Dataset: the whole.

Read layout, create, finish, statistics, rereading, original_plan, stac.
"""
