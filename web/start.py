"""Where the `shanben` command begins: loading what it needs, quickly.

Loading makes a great many objects that live as long as the process. Collecting garbage meanwhile finds none and takes a
fifth of the time; so it waits until all is loaded, and leaves what was loaded alone from then on.
"""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line."""
    gc.disable()
    from web.cli import main as command_line  # noqa: PLC0415 - after the line above is the point

    gc.freeze()
    gc.enable()
    command_line()
