"""Run: the job.

Read run, pipeline, work, transforms, progress.
"""
