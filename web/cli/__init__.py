"""The `shanben` command.

The top layer of `web`: each module adds one group of subcommands. No
package may import it.
"""
