"""``concordat-exchange serve``: run the exchange until it is told to stop."""

import sys

import uvloop

from concordat.store.exclusive import only_process
from concordat.telemetry.traces import configure_traces
from exchange.commands.shared import OUT, ConfigOption, advising, read_settings
from exchange.serve import serve as run


def serve(config: ConfigOption) -> None:
    """Answer members on one port and subjects on the other, until SIGTERM.

    Prints one line with both addresses once it is ready; logs are JSON lines on standard error.
    Exit codes: 0 stopped; 1 the exchange can't start; 2 the settings are wrong.
    """
    settings = read_settings(config)
    with advising(), only_process(settings.database):
        configure_traces("concordat-exchange")
        uvloop.run(run(settings, _ready))


def _ready(line: str) -> None:
    OUT.print(line, highlight=False, soft_wrap=True)
    sys.stdout.flush()
