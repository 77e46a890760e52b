"""Both pages over a sandbox with something to show and a past that is made up: `make console`; until Ctrl-C.

.venv/bin/python tools/console.py [--folder FOLDER]
"""

from clients.sandbox.console import main
from tools.sandbox_past import write_past

MADE_UP = (
    "The sandbox's past is made up: two months and what is over of this one, from a seed. The desk's statistics",
    "are of it; the log, the wallet's page and the desk's cases are of what this federation really did.",
    "",
)

if __name__ == "__main__":
    main(write_past, MADE_UP)
