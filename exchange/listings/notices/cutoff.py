"""A limit for a whole connection, whatever its peer does."""

import socket
import threading
from typing import Self


class Cutoff:
    """Ends a connection that lasts longer than it may, whatever the server makes it wait for.

    A socket's own timeout is for each piece that it reads, and starts anew with each byte.
    """

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self.cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._twin: socket.socket | None = None
        self._cut = False

    def watch(self, connection: socket.socket) -> None:
        """Guard a connection, also once TLS has taken over its descriptor."""
        with self._lock:
            self._twin = connection.dup()
            if self._cut:
                raise TimeoutError("cut off")

    def cut(self) -> None:
        """End the connection now: whoever reads from it meets its end."""
        with self._lock:
            self._cut = True
            if self._twin is not None:
                try:
                    self._twin.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # it has ended by itself

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._twin is not None:
                self._twin.close()
                self._twin = None
