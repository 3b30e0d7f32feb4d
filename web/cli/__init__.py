"""The `shanben` command: one module for each group of subcommands.

The top layer of `web`. It may import every package; no package may import it.
"""
