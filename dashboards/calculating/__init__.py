"""What visitors have calculated, and who does it, so that pages go on meanwhile.

- ``emulating``: the emulator of the server, what is at once, and what was calculated before.
- ``working``: the steps, and who does them: a process beside the server, or the workers of a dask cluster.
- ``jobs``: one calculation of one visitor, with its progress.
- ``processes``: that process, and lines that visitors wait in.
"""
