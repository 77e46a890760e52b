"""``concordat-provider serve``: run the node until it is told to stop."""

from provider.commands.shared import OUT, ConfigOption, advising, read_settings
from provider.node import Node, stop_signal


def serve(config: ConfigOption) -> None:
    """Answer the exchange on the member port and subjects on the public one, until SIGTERM.

    Prints one line with both addresses once it is ready; logs are JSON lines on standard error.
    Exit codes: 0 stopped; 1 the node can't start; 2 the settings are wrong.
    """
    with advising():
        settings = read_settings(config)
        stop = stop_signal()
        with Node.opened(settings) as node:
            node.start()
            OUT.print(
                f"{settings.member_id} ready: members {node.member_address}, "
                f"subjects {node.public_address}",
                highlight=False,
                soft_wrap=True,
            )
            stop.wait()
