"""``concordat-provider serve``: run the node until it is told to stop."""

from concordat.telemetry.traces import configure_traces
from provider.commands.shared import OUT, ConfigOption, advising, read_settings
from provider.node import Node, stop_signal


def serve(config: ConfigOption) -> None:
    """Answer the exchange on the member port and subjects on the public one, and file debts, until SIGTERM.

    A furnisher or court without scores (scores.source = "none") opens no ports. Prints one line once it is
    ready, with both addresses if it has any; logs are JSON lines on standard error.
    Exit codes: 0 stopped; 1 the node can't start; 2 the settings are wrong.
    """
    with advising():
        settings = read_settings(config)
        configure_traces("concordat-provider")
        stop = stop_signal()
        with Node.opened(settings) as node:
            node.start()
            found = ", ".join(f"{who} {where}" for who, where in node.addresses.items())
            OUT.print(
                f"{settings.member_id} ready: {found or 'files listings, opens no ports'}",
                highlight=False,
                soft_wrap=True,
            )
            stop.wait()
