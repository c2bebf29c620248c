# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: a router under QEMU, be it Sluice or the peer, between one LAN host and an outside.

    outside 203.0.113.1, server 198.51.100.10 ---- 203.0.113.2 [router, TCG] 10.1.0.1/16 ---- 10.1.0.2 lan (load)

All have the same command line, memory and addresses, and are given the same load by the same programs.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import lab  # noqa: E402
from lab.outside import SERVER, wait_until  # noqa: E402
import peer  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(lab.router.ROOT, "build"))
LOAD = os.path.join(BUILD, "bench", "load")
PLUGIN = os.path.join(BUILD, "bench", "insn.so")
MEMORY_MB = 512  # the peer's tables for a million connections want it
ROUTER = peer.LAN.partition("/")[0]
HOST = "10.1.0.2"
ASKERS = [f"10.1.0.{n}" for n in range(16, 40)]  # more addresses of the host: each is a customer of the DNS
SINK_PORT, ECHO_PORT = 7000, 7001
FLOWS_TO = "198.51.100.64/26"
SLUICE, LINUX, FLOWTABLE = "Sluice", "Linux", "Linux, flowtable"
OFFLOADS_OFF = "csum=off,gso=off,guest_csum=off,host_tso4=off,guest_tso4=off"
CONFIG = (f"uplink=0,ip={peer.UPLINK},gw={lab.outside.GATEWAY},dns={lab.outside.GATEWAY} "
          f"net=lan,nat,ip={peer.LAN},pool={'-'.join(peer.POOL)}")


class Counter:
    """Guest instructions so far, read from the plugin's file."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "instructions")
        self.arguments = ["-plugin", f"{PLUGIN},out={self.path}"]

    def read(self):
        with open(self.path, "rb") as file:
            return struct.unpack("=Q", file.read(8))[0]


class Subject:
    """A router with its surroundings, running. A context manager."""

    def __init__(self, name, counted=False, offloads=True, memory_mb=MEMORY_MB):
        self.name = name
        self.flows_opened = 0
        self.directory = tempfile.TemporaryDirectory()
        self.counter = Counter(self.directory.name) if counted else None
        self.outside = lab.Outside()
        self.host = lab.Host("lan")
        self._surround()
        properties = "" if offloads else OFFLOADS_OFF
        ports = [lab.Port(self.outside.uplink_fd, properties=properties),
                 lab.Port(self.host.tap("eth0"), properties=properties)]
        if not offloads:
            for host in (self.outside.host, self.host):
                host.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off")
        for address in (HOST, *ASKERS):
            self.host.ip("addr", "add", address + "/16", "dev", "eth0")
        self.host.ip("route", "add", "default", "via", ROUTER, "src", HOST)
        boot = None
        if name != SLUICE:
            boot = peer.boot_arguments(peer.build(os.path.join(BUILD, "bench", "peer")), name == FLOWTABLE)
        self.router = lab.Router(ports, CONFIG, memory_mb=memory_mb, boot=boot,
                                 extra=self.counter.arguments if counted else ())

    def _surround(self):
        outside = self.outside.host
        outside.ip("route", "add", "blackhole", FLOWS_TO)
        for mode, port in (("echo", ECHO_PORT), ("names", 53)):
            server = outside.spawn(LOAD, mode, port, stdout=subprocess.PIPE)
            if server.stdout.readline().strip() != b"ready":
                raise lab.LabError(f"{LOAD} does not run; make bench builds it (BUILD={BUILD})")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.router.stop(check=False)
        self.host.close()
        self.outside.close()
        self.directory.cleanup()

    def wait(self, limit_s=120):
        """Until it routes, and has come to rest."""
        self.router.wait_for("^ready " if self.name == SLUICE else peer.READY, limit_s)
        wait_until(lambda: self.host.run("ping", "-c1", "-W1", SERVER, check=False).returncode == 0, limit_s,
                   f"{self.name} forwards")
        return self

    def instructions(self):
        """Of the guest, so far."""
        return self.counter.read()

    def processor_seconds(self):
        """What the thread that is the router's processor has used so far, which is not what QEMU's network has."""
        thread = self.router.qmp("query-cpus-fast")[0]["thread-id"]
        with open(f"/proc/{self.router.process.pid}/task/{thread}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) * 1e-9

    def connections(self):
        """How many flows it holds."""
        if self.name == SLUICE:
            return int(re.search(r"^flows (\d+) of", self.router.status().text, re.MULTILINE).group(1))
        since = len(self.router.console)
        self.router.key("cat /proc/sys/net/netfilter/nf_conntrack_count | sed 's/^/count /'\n")
        return int(self.router.wait_for(r"^count (\d+)", 10, since).group(1))
