"""The commands, one module each: ``add`` declares one, its function runs it.

A command imports what it needs when it runs, so that ``sources`` and
``--help`` answer at once.
"""
