# SPDX-License-Identifier: BSD-3-Clause
"""The topology most tests want: a router, an outside, and hosts on its LAN ports.

    [lan1] eth0 ---- port 1 [          ]
    [lan2] eth0 ---- port 2 [  router  ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
      ...                   [          ]
"""

import contextlib
import os
import re
import threading
import time

from . import router as router_module
from .clients import lease_by
from .hosts import Host
from .listener import Listener
from .outside import Outside
from .router import Port
from .trunk import PACKET_AUXDATA, taken_tag

ROUTER = "192.168.8.1"  # the router's address in the default LAN
EVERY_S = 0.02  # between two pings


class Home:
    """Everything made, booted and, unless leases is false, every LAN host configured by DHCP.

    properties are virtio-net's, for all ports, or a pair: the uplink's, and the LAN ports' (or a list of them). nics
    are QEMU's names of devices, in the same form.
    """

    def __init__(self, hosts=1, config="", leases=True, web=True, properties="", far=False, far_mtu=1500,
                 upstream=True, nics=router_module.NIC, **router):
        with contextlib.ExitStack() as stack:
            self.outside = stack.enter_context(Outside(far=far, far_mtu=far_mtu))
            if upstream:
                self.outside.start_isp()
            if web:
                self.outside.start_web()
            self.hosts = [stack.enter_context(Host(f"lan{number}")) for number in range(1, hosts + 1)]
            properties, nics = by_port(properties, hosts), by_port(nics, hosts)
            ports = [Port(self.outside.uplink_fd, properties=properties[0], model=nics[0])]
            ports += [Port(host.tap("eth0", mac=host_mac(number)), properties=properties[number], model=nics[number])
                      for number, host in enumerate(self.hosts, 1)]
            self._configuration = (ports, config, router)
            self.router = stack.enter_context(router_module.Router(ports, config, **router))
            if leases:
                self.leases = [lease_by("udhcpc", host) for host in self.hosts]
                # The uplink may have its own later (QEMU's e1000 hears nothing in its first second), and until then
                # the router says that nothing outside can be reached.
                if upstream and "asking for an address by DHCP" in self.router.console:
                    self.router.wait_for(r"^(\[ *[\d.]+\] )?uplink +\S+/\d+ gateway .*DHCP", 60)
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._stack.__exit__(*exception)

    def restart(self):
        """The router again, as after a power cut; the hosts keep what they have."""
        ports, config, router = self._configuration
        self.router.stop()
        self.router = self._stack.enter_context(router_module.Router(ports, config, **router))


def by_port(given, hosts):
    """One for every port, made of one for all, or of the uplink's and the LAN ports', one or a list."""
    uplink, lan = (given, given) if isinstance(given, str) else given
    return [uplink, *([lan] * hosts if isinstance(lan, str) else lan)]


def host_mac(number):
    """The MAC of LAN host number (from 1)."""
    return f"52:54:00:aa:00:{number:02x}"


class Capture(Listener):
    """Frames that pass a host's interface, kept by a thread. A context manager.

    outgoing frames (our own) are left out unless asked for. VLAN tags, which the kernel takes out of what comes in, are
    put back.
    """

    def __init__(self, host, interface="eth0", outgoing=False):
        super().__init__(host, interface, PACKET_AUXDATA)
        self._outgoing = outgoing
        self._frames = []
        self._lock = threading.Lock()

    def take(self):
        frame, ancillary, _, (_, _, kind, *_) = self._socket.recvmsg(65536, 128)
        if self._outgoing or kind != 4:  # PACKET_OUTGOING
            with self._lock:
                self._frames.append(with_tag(frame, ancillary))

    @property
    def frames(self):
        """What was seen so far."""
        with self._lock:
            return list(self._frames)

    def wait_for(self, condition, timeout_s=10):
        """Waits for a frame of which condition is true; returns it, or None after the time."""
        end = time.monotonic() + timeout_s
        while True:
            for frame in self.frames:
                if condition(frame):
                    return frame
            if time.monotonic() > end:
                return None
            time.sleep(0.01)


def with_tag(frame, ancillary):
    """A frame with the VLAN tag that the kernel tells apart, if there is one."""
    tag = taken_tag(ancillary)
    return frame[:12] + tag + frame[12:] if tag else frame


def fetch(host, path, to="/dev/null", timeout=120, server="files.example"):
    """Fetches a path of the outside's web server; returns (seconds, bytes)."""
    out = host.run("curl", "-sS", "-f", "-m", timeout, "-o", to, "-w", "%{time_total} %{size_download}",
                   f"http://{server}/{os.path.basename(path)}", timeout=timeout + 10).stdout.split()
    return float(out[0]), int(out[1])


def exchange(outside, host, megabytes, server="files.example"):
    """A file from the outside to a host and back by TCP: both are whole, and no kernel saw a wrong checksum."""
    expected = outside.make_file("file", megabytes)
    host.run("curl", "-sS", "-f", "-m", 60, "-o", "/run/down", f"http://{server}/file", timeout=70)
    assert host.run("sha256sum", "/run/down").stdout.split()[0] == expected
    answer = host.run("curl", "-sS", "-f", "-m", 60, "-T", "/run/down", f"http://{server}/up", timeout=70).stdout
    assert answer.split() == [expected, str(megabytes << 20)]
    errors = [line for side in (outside.host, host) for line in bad_checksums(side)]
    assert not errors, errors


def lossless(host, target, count=150):
    """Pings every 20 ms, of which none may be lost. One may be late, and so ping waits for so many answers (-w)."""
    out = host.run("ping", "-c", count, "-i", EVERY_S, "-w", 30, target).stdout
    assert set(range(1, count + 1)) <= set(map(int, re.findall(r"icmp_seq=(\d+) ttl", out))), out


def bad_checksums(host):
    """What the host's kernel counted as wrong sums: TCP and UDP segments with a bad checksum."""
    lines = host.read("/proc/net/snmp").splitlines()
    found = []
    for names, values in zip(lines[::2], lines[1::2]):
        row = dict(zip(names.split(), values.split()))
        found += [f"{host.name} {names.split()[0]} {key}={row[key]}" for key in ("InCsumErrors", "InHdrErrors")
                  if row.get(key, "0") != "0"]
    return found
