"""What the server answers besides pages, and whom it answers.

- ``taking``: figures and numbers as files; ``printing``: the process that draws them.
- ``websockets``: who may open one, and what a browser may send through it.
- ``health``, ``logs``: whether the server is well, and what it writes down.
"""
