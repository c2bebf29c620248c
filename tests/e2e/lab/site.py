# SPDX-License-Identifier: BSD-3-Clause
"""Any topology of one router: hosts by name on numbered ports, on trunks, or on the outside's own segment.

    Site("net=a,nat,ports=1 net=b,hostonly,vlan=20 port=2,trunk=20", {1: "a1", 2: {20: "b1"}, 3: FRAMES})

makes this, and boots it:

    [a1] eth0 ---- port 1 [        ]
    [b1] -VLAN 20- port 2 [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
    frames made by hand - port 3 [ ]

What can stand at a port: a host's name; a trunk, {VLAN ID: name}, with 0 for the host on the trunk itself (untagged);
FRAMES, whose other end is a socket in site.frames. ISP in place of a name is the outside (port 0 if nobody says).
"""

import concurrent.futures
import contextlib
import os

from .clients import lease_by
from .hosts import Host
from .outside import Outside
from .router import NIC, Port, Router
from .trunk import Trunk

ISP = "isp"
FRAMES = object()
ISP_MAC = "52:54:00:ff:00:01"


class Site:
    """Everything made and the router booted, but no host configured. A context manager; site["a1"] is a Host.

    properties are virtio-net's: for all ports, or {port: text}; nic is QEMU's name of all the ports' device. Ports listed in bare have neither checksum nor
    segmentation offloads, on either side. leases are the hosts to configure by DHCP.
    """

    def __init__(self, config, ports, properties="", bare=(), leases=(), web=True, nic=NIC, **router):
        self.config = config
        self.hosts, self.frames, self.trunks, self.port_of, self.macs = {}, {}, {}, {}, {}
        if not any(ISP in _names(what) for what in ports.values()):
            ports = {0: ISP, **ports}
        self._ports = ports
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._bare = bare
            made = [self._make_port(number, ports[number]) for number in range(len(ports))]
            for trunk in self.trunks.values():
                trunk.start()
            self.outside.start_isp()
            if web:
                self.outside.start_web()
            for number, port in enumerate(made):
                port.properties, port.model = _properties(properties, number, number in bare), nic
            self.router = stack.enter_context(Router(made, config, **router))
            if "forwarded" in self.router.wait_for(r"\bready\b|nothing is forwarded").group():
                raise AssertionError("the router refuses its configuration\n" + self.router.tail())
            self.leases = self.lease(*leases)
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._stack.__exit__(*exception)

    def __getitem__(self, name):
        return self.outside.host if name == ISP else self.hosts[name]

    # ---- making ----

    def _make_port(self, number, what):
        if what is FRAMES:
            port, ours = Port.frames()
            self.frames[number] = self._stack.enter_context(ours)
            self._stack.callback(_close, port.fd)
            return port
        if isinstance(what, dict):
            return self._make_trunk(number, what)
        make = self._plain_nic(number not in self._bare)
        if what == ISP:
            self.outside = self._stack.enter_context(Outside(mac=ISP_MAC, nic=make))
            return Port(self.outside.uplink_fd)
        return Port(make(self._host(what, number, 0), self.macs[what]))

    @staticmethod
    def _plain_nic(offloads):
        def make(host, mac):
            fd = host.tap("eth0", mac=mac)
            if not offloads:
                host.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off")
            return fd

        return make

    def _make_trunk(self, number, members):
        native = members.get(0, f"trunk{number}")
        trunk = self._stack.enter_context(Trunk(native, host_mac(number, 0), offloads=number not in self._bare))
        self.trunks[number] = trunk
        self._note(native, trunk.host, number, 0)
        for vid, name in members.items():
            if name == ISP:
                self.outside = self._stack.enter_context(
                    Outside(mac=ISP_MAC, nic=lambda host, mac, vid=vid: trunk.attach(host, vid, mac)))
            elif vid:
                trunk.attach(self._host(name, number, vid), vid, self.macs[name])
        return Port(trunk.fd)

    def _host(self, name, number, vid):
        return self._note(name, self._stack.enter_context(Host(name)), number, vid)

    def _note(self, name, host, number, vid):
        self.hosts[name], self.port_of[name], self.macs[name] = host, number, host_mac(number, vid)
        return host

    # ---- configuring hosts ----

    def lease(self, *names, client="udhcpc"):
        """DHCP for these hosts, all at once; returns {name: Lease}. They are routed as they are told."""
        with concurrent.futures.ThreadPoolExecutor(max(1, len(names))) as pool:
            return dict(zip(names, pool.map(lambda name: lease_by(client, self[name]), names)))

    def static(self, name, address, gateway=None):
        """An address ("10.0.0.2/24") and a default route: by the gateway, or else to whoever answers ARP, so that the
        host tries everything and only the router can keep it from anywhere."""
        host = self[name]
        host.ip("addr", "add", address, "dev", "eth0")
        self.route(name, gateway)

    def route(self, name, gateway=None):
        """The host's default route, as in static()."""
        way = ["via", gateway, "dev", "eth0"] if gateway else ["dev", "eth0"]
        self[name].ip("route", "replace", "default", *way)

    def ipv6(self, name, address):
        """Turns IPv6 on for the host and gives it an address besides its own link-local one."""
        host = self[name]
        host.sysctl("net/ipv6/conf/eth0/dad_transmits", 0)
        host.sysctl("net/ipv6/conf/eth0/accept_ra", 0)
        host.sysctl("net/ipv6/conf/eth0/disable_ipv6", 0)
        host.ip("-6", "addr", "add", address, "dev", "eth0", "nodad")

    def address(self, name):
        """The host's IPv4 address; the outside's is its own on the uplink's segment."""
        return self[name].address()[0]

    def each(self, function, names):
        """Calls function(name) for all of them at once; returns {name: what it returned}."""
        names = list(names)
        with concurrent.futures.ThreadPoolExecutor(max(1, len(names))) as pool:
            return dict(zip(names, pool.map(function, names)))


def host_mac(port, vid=0):
    """The MAC of the host on a port, or on a VLAN (below 256) of it."""
    return f"52:54:00:aa:{port:02x}:{vid & 0xFF:02x}"


def _names(what):
    return what.values() if isinstance(what, dict) else (what,)


def _properties(properties, number, bare):
    mine = properties if isinstance(properties, str) else properties.get(number, "")
    return ",".join(filter(None, [mine, "csum=off,gso=off,guest_csum=off" if bare else ""]))


def _close(fd):
    with contextlib.suppress(OSError):
        os.close(fd)
