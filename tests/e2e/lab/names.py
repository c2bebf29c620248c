# SPDX-License-Identifier: BSD-3-Clause
"""DNS servers that behave as a test wants: every name has the address TRUTH, if it is answered at all."""

import contextlib
import socket
import struct
import threading
import time

TRUTH, LIE = "198.51.100.10", "198.51.100.66"
REFUSED, SERVFAIL = 5, 2


class NameServer:
    """One that listens at this address of a host, which gets it. A context manager; close() and start() any time.

    delay_s: how long it takes. rcode: what it answers instead of an address. silent: it takes questions and says nothing.
    letters: it keeps their case. lies: before the answer it sends what is like it, but for one thing each.
    """

    def __init__(self, host, ip):
        self.host, self.ip = host, ip
        self.delay_s, self.rcode, self.silent, self.letters, self.lies = 0, 0, False, True, False
        self.asked = 0
        host.ip("addr", "add", ip + "/24", "dev", "eth0")
        self._socket = None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _open(self, port):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self.ip, port))
        return made

    def start(self):
        """Listens (again)."""
        self._socket = self.host.inside(self._open, 53)
        self._other = self.host.inside(self._open, 5353)
        threading.Thread(target=self._serve, args=(self._socket, self._other), daemon=True).start()

    def close(self):
        """Dies: its port is closed."""
        for each in (self._socket, self._other):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes the thread
            each.close()

    def _serve(self, sock, other):
        with contextlib.suppress(OSError):
            while True:
                message, peer = sock.recvfrom(4096)
                if not message:
                    return
                self.asked += 1
                if not self.silent:
                    threading.Timer(self.delay_s, self._answer, (sock, other, message, peer)).start()

    def _answer(self, sock, other, message, peer):
        with contextlib.suppress(OSError):
            if self.lies:
                lie = self._reply(message, LIE)
                for wrong in (bytes([lie[0] ^ 1]) + lie[1:], lie[:14] + b"x" + lie[15:], lie[:5] + b"\2" + lie[6:]):
                    sock.sendto(wrong, peer)
                other.sendto(lie, peer)
                time.sleep(0.02)
            sock.sendto(self._reply(message, TRUTH), peer)

    def _reply(self, message, address):
        end = message.index(b"\0", 12) + 5
        question = message[12:end] if self.letters else message[12:end - 4].lower() + message[end - 4:end]
        found = not self.rcode and message[end - 4:end] == b"\0\1\0\1"
        record = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(address)
        return (message[:2] + struct.pack("!5H", 0x8180 | self.rcode, 1, found, 0, 0) + question + (record if found else b""))
