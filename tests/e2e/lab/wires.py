# SPDX-License-Identifier: BSD-3-Clause
"""A router in virtual time, every port of which is frames made by hand.

    [Host a] line 1 ---- port 1 [        ]
    [Host b] line 2 ---- port 2 [ router ] port 0 ---- line 0 [gateway, and through it everybody outside]

Theory of operation. The guest's clock counts its instructions, and time in which it sleeps costs nothing
(QEMU's -icount sleep=off): the unmodified image lives through its real timers as fast as it can wake. Left alone it
would race away from us, so a brake is on: a timer of QEMU's own that no guest sees, which ends every leap of the
clock after 20 microseconds, so that its time passes no faster than ours; and but for put() and pass_time() the machine
is stopped. pass_time() takes the brake off, has a watchdog that the guest does not know stop the machine a little before
the time has come, and goes the rest with a light brake. So a busy machine of ours changes little about when things happen.

"Nothing came" needs an end to wait for: put() sends frames, and then pings to the router on every line. The router
deals with a port's frames in order and a line keeps its order, so what is not there before the answers never comes.
"""

import contextlib
import functools
import itertools
import os
import re
import select
import socket
import struct

from scapy.all import ARP, BOOTP, DHCP, ICMP, IP, TCP, UDP, Ether, Raw, raw

from .router import Port, Router

ROUTER, UPLINK, GATEWAY = "192.168.8.1", "203.0.113.2", "203.0.113.1"
FAR, FARTHER = "198.51.100.10", "198.51.100.77"  # hosts outside
STATIC = f"uplink=0,ip={UPLINK}/24,gw={GATEWAY}"
GATEWAY_MAC = "52:54:00:ff:00:01"
PING_ID = 0x5A5A  # of the pings that put() ends with
BRAKE_US, LIGHT_BRAKE_US = 20, 100  # with the light one time passes up to four times as fast as ours
AT_ONCE = 160  # frames; less than a ring has room for, so that none is lost because we are slow to read
WAIT_S = 20  # of our time, for an answer
PM_TIMER, PM_HZ = 0x608, 3579545
IB700 = 0x443  # the watchdog: 15 is 0 s, 14 is 2 s, ... 0 is 30 s
IB700_MAX_S = 30


class Host:
    """Who speaks on a line: an address and a MAC."""

    def __init__(self, line, ip, mac):
        self.line, self.ip, self.mac = line, ip, mac


class Line:
    """Our end of one port. It answers ARP for its hosts, and keeps what else comes."""

    def __init__(self, number, properties=""):
        self.number = number
        self.port, self.socket = Port.frames(properties)
        self.socket.setblocking(False)
        self.hosts = {}  # address: MAC. The MAC of None is that of all other addresses
        self.frames = []
        self.answered_arp = False
        self.router_mac = None

    def close(self):
        """Ends it."""
        self.socket.close()
        os.close(self.port.fd)

    def read(self):
        """Takes what has come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                frame = self.socket.recv(65536)
                if frame[12:14] == b"\x08\x06":
                    self._arp(frame)
                else:
                    self.frames.append(frame)

    def _arp(self, frame):
        """Answers a question about one of the hosts, and learns the router's MAC if it asked."""
        arp = ARP(frame[14:])
        if arp.op == 2 and self.router_mac is None:
            self.router_mac = arp.hwsrc
        mac = self.hosts.get(arp.pdst, self.hosts.get(None))
        if arp.op == 1 and mac and arp.psrc != arp.pdst and arp.psrc != "0.0.0.0":
            self.answered_arp = True
            self.send(raw(Ether(src=mac, dst=arp.hwsrc) /
                          ARP(op=2, hwsrc=mac, psrc=arp.pdst, hwdst=arp.hwsrc, pdst=arp.psrc)))

    def send(self, frame):
        """Puts a frame on the line; reads meanwhile if the router has no room."""
        while True:
            try:
                self.socket.send(frame)
                return
            except BlockingIOError:
                self.read()
                select.select([], [self.socket], [], 0.01)


class Stage:
    """The drawing, booted. A context manager. hosts are LAN ports; a and b are the hosts on the first two.

    config is added to the static uplink's, which uplink= replaces. incoming is a saved machine's (QEMU's -incoming).
    guid is what tells copies of a machine apart (QEMU's vmgenid).
    """

    def __init__(self, config="", hosts=2, uplink=STATIC, subnet="192.168.8", router_ip=ROUTER, memory_mb=64,
                 incoming=None, guid=None):
        self._pings = itertools.count(1)
        self._braked = True
        with contextlib.ExitStack() as stack:
            self.lines = [Line(number) for number in range(hosts + 1)]
            for line in self.lines:
                stack.callback(line.close)
            self.gateway = self._host(0, GATEWAY, GATEWAY_MAC)
            self.lines[0].hosts[None] = GATEWAY_MAC  # whoever else is asked for outside is behind it
            self.lan = [self._host(number, f"{subnet}.{9 + number}", f"52:54:00:aa:00:{number:02x}")
                        for number in range(1, hosts + 1)]
            self.a = self.lan[0] if hosts else None
            self.b = self.lan[1] if hosts > 1 else None
            self.ends = {0: (GATEWAY, UPLINK)} | {host.line.number: (host.ip, router_ip) for host in self.lan}
            self.router = stack.enter_context(Router(
                [line.port for line in self.lines], " ".join(filter(None, [uplink, config])), memory_mb=memory_mb,
                machine="q35",  # microvm has neither PM timer nor ISA bus
                extra=["-icount", "shift=3,sleep=off", "-rtc", "clock=vm,base=2030-01-01T00:00:00",
                       "-device", "ib700", "-action", "watchdog=pause",
                       "-netdev", "hubport,id=clock,hubid=0",
                       "-object", f"filter-buffer,id=brake,netdev=clock,interval={LIGHT_BRAKE_US}",
                       *(["-device", f"vmgenid,guid={guid}"] if guid else []),
                       *(["-incoming", incoming] if incoming else [])]))
            if incoming:
                self.wait(lambda: self.router.qmp("query-status")["status"] != "inmigrate", "the machine is loaded")
            else:
                self._wait_until_ready()
            for host in [self.gateway, *self.lan]:
                host.line.router_mac = self.router.mac(host.line.number)
            with self.running():
                for host in self.lan:
                    self.ask_mac(host, router_ip)
            self._brake(BRAKE_US)
            if uplink == STATIC:
                self.put()
            self._stack = stack.pop_all()

    def _wait_until_ready(self):
        said = self.router.wait_for(r"^ready |: nothing is forwarded", 60).group()
        assert said == "ready ", self.router.tail()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._stack.__exit__(*exception)

    def _host(self, number, ip, mac):
        line = self.lines[number]
        line.hosts[ip] = mac
        return Host(line, ip, mac)

    def another(self, beside, ip):
        """One more host on another's line and with its MAC, at this address."""
        return self._host(beside.line.number, ip, beside.mac)

    # ---- frames ----

    def ask_mac(self, host, router_ip):
        """Learns the router's MAC on a LAN line, as a host does."""
        host.line.router_mac = None
        host.line.send(raw(Ether(src=host.mac, dst="ff:ff:ff:ff:ff:ff") /
                           ARP(op=1, hwsrc=host.mac, psrc=host.ip, pdst=router_ip)))
        self.wait(lambda: host.line.router_mac, "the router answers ARP")

    def wait(self, condition, what):
        """Reads all lines until condition() is true, and returns what it returns; fails after a while."""
        for _ in range(WAIT_S * 100):
            self._read()
            value = condition()
            if value:
                return value
            select.select([line.socket for line in self.lines], [], [], 0.01)
        raise AssertionError(f"waited for: {what}\n{self.router.tail()}")

    def _read(self):
        for line in self.lines:
            line.read()

    def frame(self, host, packet):
        """A host's packet as the frame that goes to the router."""
        return raw(Ether(src=host.mac, dst=host.line.router_mac) / packet)

    def put(self, host=None, *packets):
        """Sends the host's packets (IP, or bytes of whole frames); returns what came of it, when all has: a Seen."""
        frames = [packet if isinstance(packet, bytes) else self.frame(host, packet) for packet in packets]
        with self.running():
            for number, frame in enumerate(frames):
                host.line.send(frame)
                if number % AT_ONCE == AT_ONCE - 1:
                    self._wait_for_all(1)
            self._wait_for_all()
        seen = Seen([line.frames for line in self.lines])
        for line in self.lines:
            line.frames = []
        return seen

    def _wait_for_all(self, wanted=2):
        """Returns when the router has dealt with all that was sent.

        The first round of pings comes back when all ports' frames have been dealt with; what came of them on other
        ports is there when the second has.
        """
        rounds = 0
        while rounds < wanted:
            for line in self.lines:
                line.answered_arp = False
            waiting = {}
            for line in self.lines:
                if line.number in self.ends:
                    ip, router_ip = self.ends[line.number]
                    number = next(self._pings) & 0xFFFF
                    line.send(raw(Ether(src=line.hosts[ip], dst=line.router_mac) / IP(src=ip, dst=router_ip) /
                                  ICMP(id=PING_ID, seq=number)))
                    waiting[line] = struct.pack("!HH", PING_ID, number)
            self.wait(lambda: self._take_answers(waiting), "the router answers pings on all lines")
            # What was held back for want of a MAC begins anew when that has come.
            rounds = 0 if any(line.answered_arp for line in self.lines) else rounds + 1

    @staticmethod
    def _take_answers(waiting):
        """Removes the pings' answers from the lines; true when none is waited for any more."""
        for line, mark in list(waiting.items()):
            for frame in line.frames:
                if frame[12:14] == b"\x08\x00" and frame[23] == 1 and frame[34] == 0 and frame[38:42] == mark:
                    line.frames.remove(frame)
                    del waiting[line]
                    break
        return not waiting

    def status(self):
        """The router's counters."""
        with self.running():
            return self.router.status()

    def lease(self, address, server):
        """Answers the DHCP client on the uplink: this address is leased to it by that server, its gateway."""
        line = self.lines[0]

        def serve():
            done = False
            for frame in line.frames[:]:
                line.frames.remove(frame)
                asked = Ether(frame)
                if asked.haslayer(DHCP):
                    kind = dict(option for option in asked[DHCP].options if isinstance(option, tuple))["message-type"]
                    line.send(raw(
                        Ether(src=self.gateway.mac, dst=asked.src) / IP(src=server, dst=address) /
                        UDP(sport=67, dport=68) / BOOTP(op=2, xid=asked[BOOTP].xid, yiaddr=address,
                                                        chaddr=asked[BOOTP].chaddr) /
                        DHCP(options=[("message-type", 2 if kind == 1 else 5), ("server_id", server),
                                      ("lease_time", 864000), ("subnet_mask", "255.255.255.0"), ("router", server),
                                      "end"])))
                    done = done or kind == 3
            return done

        with self.running():
            self.wait(serve, "the router asks for a lease")
            self.router.wait_for(rf"^uplink +{re.escape(address)}/24 gateway .*DHCP")

    # ---- time ----

    @contextlib.contextmanager
    def running(self):
        """The machine runs, braked, while this lasts."""
        self.router.qmp("cont")
        try:
            yield
        finally:
            self._stop()

    def _stop(self):
        self.router.qmp("stop")

    def _hmp(self, words):
        return self.router.qmp("human-monitor-command", **{"command-line": words})

    def now(self):
        """The guest's time in seconds, of which only differences mean anything."""
        date = self.router.qmp("qom-get", path="/machine", property="rtc-time")
        ticks = int(self._hmp(f"i /w {PM_TIMER:#x}").split("=")[-1], 16) & 0xFFFFFF
        coarse = ((date["tm_mday"] * 24 + date["tm_hour"]) * 60 + date["tm_min"]) * 60 + date["tm_sec"] - 86400
        # The timer has the fraction, and comes round every 4.7 s; the date says which time round it is.
        turn = (1 << 24) / PM_HZ
        fine = ticks / PM_HZ
        return fine + round((coarse + 0.5 - fine) / turn) * turn

    def pass_time(self, seconds, since=None):
        """Lets so much of the guest's time pass, since a moment that now() gave, or from now."""
        target = (self.now() if since is None else since) + seconds
        while (left := target - self.now()) >= 2:
            self._hmp(f"o /b {IB700:#x} {15 - int(min(left, IB700_MAX_S)) // 2:#x}")
            self._brake(None)
            self._resume_until_stopped()
        self._brake(LIGHT_BRAKE_US)
        with self.running():
            while self.now() < target:
                self._read()
        self._brake(BRAKE_US)

    def _brake(self, interval_us):
        """Brakes otherwise than before, or not at all. The machine is stopped."""
        if self._braked:
            self.router.qmp("object-del", id="brake")
        if interval_us:
            self.router.qmp("object-add", **{"qom-type": "filter-buffer", "id": "brake", "netdev": "clock",
                                             "interval": interval_us})
        self._braked = interval_us is not None

    def _resume_until_stopped(self):
        self.router.qmp("cont")
        while self.router.qmp("query-status")["running"]:
            self._read()


class Seen:
    """What came on each line after something was put: packets[line] are IP packets, frames[line] whole frames."""

    def __init__(self, frames):
        self.frames = frames

    @functools.cached_property
    def packets(self):
        """Without broadcasts and DHCP; read by scapy only if somebody asks."""
        return [[IP(frame[14:]) for frame in line if frame[12:14] == b"\x08\x00" and not _is_dhcp_or_group(frame)]
                for line in self.frames]

    @property
    def outside(self):
        """Packets that left by the uplink."""
        return self.packets[0]

    @property
    def inside(self):
        """Packets that came to LAN lines, all of them."""
        return [packet for line in self.packets[1:] for packet in line]

    def __bool__(self):
        return any(self.packets)

    def __repr__(self):
        return "; ".join(f"line {number}: " + (", ".join(packet.summary() for packet in packets) or "nothing")
                         for number, packets in enumerate(self.packets))


def _is_dhcp_or_group(frame):
    return bool(frame[0] & 1) or (frame[23] == 17 and frame[34:38] in (b"\0\x43\0\x44", b"\0\x44\0\x43"))


def udp(source, sport, to, dport, data=b"payload", **fields):
    """A datagram. source and to are Hosts or addresses."""
    return IP(src=_ip(source), dst=_ip(to), **fields) / UDP(sport=sport, dport=dport) / Raw(data)


def flood_frame(host, source, sport, to, dport, flags=None, seq=1):
    """A datagram (or, with flags, a TCP segment) as a frame, made quickly: for when there are to be many of them."""
    if flags is None:
        l4 = struct.pack("!HHHH", sport, dport, 12, 0) + b"many"
    else:
        l4 = struct.pack("!HHIIBBHHH", sport, dport, seq, 0, 0x50, flags, 8192, 0, 0)
        pseudo = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack("!HH", 6, len(l4))
        l4 = l4[:16] + _sum(pseudo + l4) + l4[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), 1, 0, 64, 17 if flags is None else 6, 0,
                     socket.inet_aton(source), socket.inet_aton(to))
    ends = bytes.fromhex((host.line.router_mac + host.mac).replace(":", ""))
    return ends + b"\x08\x00" + ip[:10] + _sum(ip) + ip[12:] + l4


def _sum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)


def payload(packet):
    """What a UDP or TCP packet carries, whatever scapy takes it for."""
    return raw((packet[UDP] if UDP in packet else packet[TCP]).payload)[:packet.len - 28 if UDP in packet else None]


def _ip(who):
    return who.ip if isinstance(who, Host) else who


def only(packets):
    """The one packet of a list."""
    assert len(packets) == 1, packets
    return packets[0]


def sums_are_right(packet):
    """Fails unless every checksum of the packet is what scapy computes for it."""
    again = IP(raw(packet))
    for layer in ("IP", "UDP", "TCP", "ICMP"):
        if again.haslayer(layer):
            got = again[layer].chksum
            if layer == "UDP" and got == 0:
                continue
            del again[layer].chksum
            want = IP(raw(again))[layer].chksum
            assert got == want, f"{layer} checksum {got:#06x}, should be {want:#06x}: {packet.summary()}"
            again = IP(raw(packet))
