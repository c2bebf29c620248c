# SPDX-License-Identifier: BSD-3-Clause
"""The outside: an Internet of one or two machines.

    router's uplink ---- [isp] eth0 203.0.113.1/24   DHCP, DNS
                               server 198.51.100.10  web, iperf3, echo      (far=False)
                               far0   198.18.0.1/30 ---- [far] 198.18.0.2/30, server 198.51.100.10
                                                                            (far=True)
All addresses are those set aside for documentation and for tests (RFC 5737, RFC 2544).
"""

import os
import re
import sys
import time

from .hosts import Host, stop_process

HERE = os.path.dirname(os.path.abspath(__file__))

GATEWAY = "203.0.113.1"
SERVER = "198.51.100.10"
POOL = ("203.0.113.50", "203.0.113.99")
NAMES = {"files.example": SERVER, "isp.example": GATEWAY, "other.example": "198.51.100.77"}
WEB_PORT, IPERF_PORT, ECHO_PORT = 80, 5201, 7


class Outside:
    """The ISP, and the server behind it. A context manager. nic(host, mac) makes its eth0 another way than as a TAP."""

    def __init__(self, far=False, far_mtu=1500, mac="52:54:00:ff:00:01", nic=None, **tap):
        self.host = Host("isp")
        self.far = None
        self._log = []
        try:
            self.uplink_fd = nic(self.host, mac) if nic else self.host.tap("eth0", mac=mac, **tap)
            self.host.ip("addr", "add", GATEWAY + "/24", "dev", "eth0")
            self.host.sysctl("net/ipv4/ip_forward", 1)
            self.host.sysctl("net/ipv4/icmp_ratelimit", 0)
            self.server = self.host
            if far:
                self._make_far(far_mtu)
            self.server.ip("addr", "add", SERVER + "/32", "dev", "lo")
            self.server.run("mkdir", "-p", "/run/www")
        except BaseException:
            self.close()
            raise

    def _make_far(self, mtu):
        self.far = self.server = Host("far")
        self.host.ip("link", "add", "far0", "mtu", mtu, "type", "veth", "peer", "name", "eth0",
                     "mtu", mtu, "netns", f"/proc/{self.far.pid}/ns/net")
        self.host.ip("addr", "add", "198.18.0.1/30", "dev", "far0")
        self.host.ip("link", "set", "far0", "up")
        self.far.ip("addr", "add", "198.18.0.2/30", "dev", "eth0")
        self.far.ip("link", "set", "eth0", "up")
        self.far.ip("route", "add", "default", "via", "198.18.0.1")
        self.host.ip("route", "add", SERVER + "/32", "via", "198.18.0.2")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the machines. May be called twice."""
        for host in (self.far, self.host):
            if host:
                host.close()

    def start_isp(self, upstream=None, lease="1h", extra=()):
        """The ISP's DHCP and DNS server: it answers for NAMES, and asks upstream for others if given one."""
        argv = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                "--user=root", "--group=", "--pid-file=", "--interface=eth0", "--bind-interfaces",
                "--dhcp-authoritative", "--no-ping", "--dhcp-leasefile=/run/isp.leases", "--log-dhcp",
                "--log-facility=-", "--log-queries", "--dhcp-option=option:mtu,1500",
                f"--dhcp-range={POOL[0]},{POOL[1]},{lease}", f"--dhcp-option=option:router,{GATEWAY}",
                f"--dhcp-option=option:dns-server,{GATEWAY}", *extra]
        argv += [f"--host-record={name},{address}" for name, address in NAMES.items()]
        argv += [f"--server={upstream}"] if upstream else ["--local=/#/"]
        self.dnsmasq = self.host.spawn("sh", "-c", 'exec "$@" 2>/run/isp.log', "sh", *argv)
        wait_until(lambda: "started" in self.log(), 10, "dnsmasq has started", self.dnsmasq)
        return self

    def stop_isp(self):
        """Takes the DHCP and DNS server away."""
        stop_process(self.dnsmasq)

    def log(self):
        """What dnsmasq has said."""
        return self.host.run("cat", "/run/isp.log", check=False).stdout

    def router_address(self):
        """The address the router has leased last, or None. Hosts of a bridge network lease here too; the router's
        ports are known by the MACs that the lab gives them."""
        found = re.findall(r"DHCPACK\(eth0\) (\S+) 52:54:00:12:", self.log())
        return found[-1] if found else None

    def start_web(self, port=WEB_PORT):
        """A web server on the server's addresses."""
        web = self.server.spawn(sys.executable, os.path.join(HERE, "web.py"), port, "/run/www",
                                stdout=-1)
        if b"listening" not in web.stdout.readline():
            raise AssertionError("the outside's web server did not start")
        return self

    def make_file(self, name, megabytes):
        """Puts a file of random bytes on the web server; returns its SHA-256."""
        path = f"/run/www/{name}"
        self.server.run("dd", "if=/dev/urandom", f"of={path}", "bs=1M", f"count={megabytes}")
        return self.server.run("sha256sum", path).stdout.split()[0]

    def start_iperf(self, port=IPERF_PORT):
        """An iperf3 server."""
        iperf = self.server.spawn("iperf3", "-s", "-p", port, "--forceflush", stdout=-1)
        for line in iperf.stdout:
            if b"listening" in line:
                return self
        raise AssertionError("the outside's iperf3 did not start")


def wait_until(condition, timeout_s, what, process=None):
    """Polls condition until it is true and returns its value; fails, naming what, after timeout_s."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            raise AssertionError(f"waiting until {what}: the program ended with {process.returncode}")
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)
