# SPDX-License-Identifier: BSD-3-Clause
"""Ports made of frames: our end of a router's port whose frames are datagrams of a socket.

Nothing is lost on such a port: a send waits until QEMU has taken the frame, and QEMU takes one only when the
router has a buffer for it. So what was sent can be counted against what the router says it received.
"""

import contextlib
import os
import select
import threading

from .router import Port


class Wire:
    """The end of one port. A context manager; a thread reads what the router sends.

    With a TAP's descriptor (made without the virtio header) the wire is a cable between the port and that
    host, on which send() puts frames of its own.
    """

    def __init__(self, tap_fd=None, properties="", mac=""):
        self.port, self._socket = Port.frames(properties, mac)
        self._tap = tap_fd
        self._stop = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self.received = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop = True
        self._thread.join()
        self._socket.close()
        os.close(self.port.fd)

    def send(self, frame):
        """Puts one frame on the wire, towards the router."""
        self._socket.send(frame)

    def _carry(self):
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if self._tap is not None:
            poll.register(self._tap, select.POLLIN)
        while not self._stop:
            for fd, _ in poll.poll(100):
                with contextlib.suppress(BlockingIOError, OSError):
                    if fd == self._tap:
                        self._socket.send(os.read(self._tap, 65536))
                        continue
                    frame = self._socket.recv(65536)
                    self.received += 1
                    if self._tap is not None:
                        os.write(self._tap, frame)
