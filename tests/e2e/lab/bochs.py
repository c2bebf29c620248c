# SPDX-License-Identifier: BSD-3-Clause
"""Bochs, another emulator than QEMU, with BIOS, PIC, IDE and e1000 of its own.

Theory of operation. Bochs carries the frames of a network card in datagrams of UDP on the loopback interface; a thread
carries them on to the TAP in a host's namespace and back. Debian's has the debugger compiled in, which waits for a "c"
before the machine starts. Its screen is a VNC server, which nobody visits; the router is seen by its serial port.
"""

import contextlib
import os
import select
import socket
import subprocess
import threading
import time

from .hosts import LabError

CONFIG = """
config_interface: textconfig
display_library: rfb, options="timeout=0"
cpu: model=corei7_haswell_4770, count=1, ips=40000000, reset_on_triple_fault=0
clock: sync=slowdown
memory: guest=64, host=64
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
pci: enabled=1, chipset=i440fx, {slots}
ata0-master: type=cdrom, path={disc}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={directory}/serial
sound: driver=dummy
log: {directory}/log
panic: action=fatal
"""


class Bochs:
    """A machine that starts a CD; taps are descriptors of TAPs, without virtio's header. A context manager."""

    def __init__(self, directory, disc, taps):
        self._serial = os.path.join(directory, "serial")
        self._cards, self._stop = [], threading.Event()
        text = CONFIG.format(directory=directory, disc=disc,
                             slots=", ".join(f"slot{n}=e1000" for n in range(1, len(taps) + 1)))
        for number, tap in enumerate(taps):
            ours, port = udp_pair()
            text += (f"e1000: card={number}, enabled=1, mac={self.mac(number)}, ethmod=socket, "
                     f"ethdev={port}:127.0.0.1\n")
            self._cards.append((tap, ours, ("127.0.0.1", port)))
        with open(os.path.join(directory, "bochsrc"), "w", encoding="ascii") as file:
            file.write(text)
        with open(os.path.join(directory, "output"), "wb") as output:
            self._process = subprocess.Popen(["bochs", "-q", "-f", os.path.join(directory, "bochsrc")],
                                             stdin=subprocess.PIPE, stdout=output, stderr=output)
        self._process.stdin.write(b"c\n")
        self._process.stdin.flush()
        self._pump = threading.Thread(target=self._carry, daemon=True)
        self._pump.start()

    @staticmethod
    def mac(number):
        """The MAC of a card."""
        return f"52:54:00:b0:00:{number:02x}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._pump.join()
        self._process.kill()
        self._process.wait(10)
        for _tap, ours, _to in self._cards:
            ours.close()

    def _carry(self):
        while not self._stop.is_set():
            readable = select.select([end for tap, ours, _ in self._cards for end in (tap, ours)], [], [], 0.2)[0]
            for tap, ours, to in self._cards:
                if tap in readable:
                    ours.sendto(os.read(tap, 65536), to)
                if ours in readable:
                    os.write(tap, ours.recv(65536))

    @property
    def console(self):
        """All that the serial port said."""
        try:
            with open(self._serial, encoding="latin-1") as file:
                return file.read().replace("\r", "")
        except FileNotFoundError:
            return ""

    def wait_for(self, words, limit_s):
        """Waits until the console shows the words."""
        end = time.monotonic() + limit_s
        while words not in self.console:
            assert self._process.poll() is None, f"Bochs ended\n{self.console[-2000:]}"
            assert time.monotonic() < end, f"not within {limit_s} s: {words}\n{self.console[-2000:]}"
            time.sleep(0.1)


def udp_pair():
    """Bochs listens on a port and sends to the next: (our socket on that one, Bochs's port)."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError, OverflowError):
            ours.bind(("127.0.0.1", port + 1))
            return ours, port
        ours.close()
    raise LabError("no two UDP ports in a row are free")
