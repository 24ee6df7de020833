"""Plan: what a recipe means.

Read recipe_plan, then source_plan, store_choice and provider_limits.
"""
