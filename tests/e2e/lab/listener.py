# SPDX-License-Identifier: BSD-3-Clause
"""What all that look at a host's frames have in common."""

import contextlib
import socket
import threading

from .trunk import SOL_PACKET


class Listener:
    """Calls take() from a thread, which reads a frame from _socket, from entering to leaving. A context manager.

    options: of the packet socket, to be turned on.
    """

    def __init__(self, host, interface, *options, receive_bytes=None):
        self._socket = host.frames(interface)
        self._socket.settimeout(0.1)
        for option in options:
            self._socket.setsockopt(SOL_PACKET, option, 1)
        if receive_bytes:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._stop = False
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop = True
        self._thread.join()
        self._socket.close()

    def _listen(self):
        while not self._stop:
            with contextlib.suppress(TimeoutError):
                self.take()

    def take(self):
        """Waits for a frame, and keeps or counts it."""
        raise NotImplementedError
