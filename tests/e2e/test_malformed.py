# SPDX-License-Identifier: BSD-3-Clause
"""Malformed frames of every layer, from both sides: counted by reason, and the router goes on serving.

    [lan1] eth0 ------------ port 1 [        ]
    frames made by scapy --- port 2 [ router ] port 0 --+-- eth0 [isp] 198.51.100.10
                                    [        ]          +-- frames made by scapy

Ports 0 and 2 are Wires: no frame on them is lost before the router has it.
"""

import contextlib
import random
import socket
import time

import pytest
from scapy.all import (ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPerror, IPerror, Raw, UDPerror, raw)

import lab
from lab.clients import lease_by
from lab.home import ROUTER, fetch
from lab.outside import GATEWAY, SERVER, wait_until
from lab.requirements import requirement
from lab.router import MMIO, NIC, VIRTIO
from lab.wire import Wire

EVIL_MAC, EVIL_IP = "02:00:00:00:ee:01", "192.168.8.66"
ISP_MAC = "52:54:00:ff:00:01"
NEIGHBOUR = "203.0.113.200"  # of the ISP's; not the gateway, for ARP that lies about that is no malformed frame
REPEAT = 3  # each frame, so that a count that moves by itself is noticed
MILLION = 1_000_000
SEED = 20240607


class Siege:
    """The topology of the drawing, with a lease for lan1."""

    def __init__(self):
        with contextlib.ExitStack() as stack:
            self.outside = stack.enter_context(lab.Outside(mac=ISP_MAC, vnet_hdr=False))
            self.outside.start_isp()
            self.outside.start_web()
            self.host = stack.enter_context(lab.Host("lan1"))
            self.uplink = stack.enter_context(Wire(self.outside.uplink_fd))
            self.lan = stack.enter_context(Wire())
            ports = [self.uplink.port, lab.Port(self.host.tap("eth0")), self.lan.port]
            self.router = stack.enter_context(lab.Router(ports))
            self.lease = lease_by("udhcpc", self.host)
            self.host.run("ping", "-c", 1, "-W", 5, ROUTER)
            self._stack = stack.pop_all()
        self.address = self.outside.router_address()
        self.mac = self.host.ip("neigh", "show", ROUTER).split("lladdr ")[1].split()[0]  # on the LAN

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._stack.__exit__(*exception)

    def serves(self):
        """A name, a page and a lease, still."""
        assert fetch(self.host, "who", timeout=20)[1] > 0
        assert lease_by("udhcpc", self.host).address == self.lease.address
        status = self.router.status()
        status.check_sum()
        assert [port.state for port in status.ports] == ["up"] * 3, status.text


@pytest.fixture(scope="module", name="siege")
def fixture_siege():
    """One siege for all."""
    with Siege() as made:
        yield made


def from_lan(router_mac, **fields):
    """Ethernet and IP from the evil LAN host to the outside, with IP fields changed."""
    return Ether(src=EVIL_MAC, dst=router_mac) / IP(**{"src": EVIL_IP, "dst": SERVER, **fields})


def cut(packet, size):
    """The first bytes of a packet."""
    return raw(packet)[:size]


def patched(packet, offset, value):
    """A packet's bytes with some replaced; the IP header's checksum is made right again."""
    data = bytearray(packet if isinstance(packet, bytes) else raw(packet))
    data[offset:offset + len(value)] = value
    if 14 <= offset < 34 and not 24 <= offset < 26:
        data[24:26] = b"\0\0"
        end = 14 + max(20, (data[14] & 15) * 4)
        total = sum(int.from_bytes(data[k:k + 2], "big") for k in range(14, min(end, len(data)), 2))
        total = (total & 0xFFFF) + (total >> 16)
        total = (total & 0xFFFF) + (total >> 16)
        data[24:26] = (~total & 0xFFFF).to_bytes(2, "big")
    return bytes(data)


def with_options(packet, options):
    """A packet's bytes with IP options put in, padded to whole words; lengths and checksum are right."""
    options += b"\0" * (-len(options) % 4)
    data = raw(packet)
    data = data[:34] + options + data[34:]
    data = patched(data, 16, (len(data) - 14).to_bytes(2, "big"))
    return patched(data, 14, bytes([0x45 + len(options) // 4]))


def lan_rows(mac):
    """(name, frame, the reason it is dropped for): from the LAN. mac is the router's on that port."""
    def udp(**fields):
        return from_lan(mac, **fields) / UDP(sport=1000, dport=7) / Raw(b"x" * 32)

    def tcp(**fields):
        return from_lan(mac, **fields) / TCP(sport=1000, dport=80, flags="S") / Raw(b"x" * 8)

    return [
        ("one byte", b"\x02", "eth-short"),
        ("13 bytes", cut(udp(), 13), "eth-short"),
        ("group source", raw(Ether(src="03:00:00:00:00:01", dst=mac) / IP(src=EVIL_IP, dst=SERVER)), "eth-source"),
        ("source zero", raw(Ether(src="00:00:00:00:00:00", dst=mac) / IP(src=EVIL_IP, dst=SERVER)), "eth-source"),
        ("source is the router", raw(Ether(src=mac, dst=mac) / IP(src=EVIL_IP, dst=SERVER)), "eth-source"),
        ("spanning tree", raw(Ether(src=EVIL_MAC, dst="01:80:c2:00:00:00") / Raw(b"x" * 50)), "eth-reserved"),
        ("unknown EtherType", raw(Ether(src=EVIL_MAC, dst=mac, type=0x9999) / Raw(b"x" * 50)), "eth-type"),
        ("IPv6", raw(Ether(src=EVIL_MAC, dst=mac, type=0x86DD) / Raw(b"\x60" + bytes(49))), "eth-type"),
        ("VLAN tag", raw(Ether(src=EVIL_MAC, dst=mac) / Dot1Q(vlan=5) / IP(src=EVIL_IP, dst=SERVER)), "vlan"),
        ("IP cut short", cut(udp(), 14 + 19), "ip-header"),
        ("version 6", patched(udp(), 14, b"\x65"), "ip-header"),
        ("header of 16 bytes", patched(udp(), 14, b"\x44"), "ip-header"),
        ("header longer than the frame", cut(patched(udp(), 14, b"\x4f"), 14 + 40), "ip-header"),
        ("total length below the header", patched(udp(), 16, b"\x00\x13"), "ip-header"),
        ("total length beyond the frame", patched(udp(), 16, b"\x05\xdc"), "ip-header"),
        ("bad IP checksum", patched(udp(), 24, b"\xde\xad"), "ip-checksum"),
        ("loose source route", with_options(udp(), b"\x83\x07\x04\x0a\x00\x00\x01"), "ip-options"),
        ("strict source route", with_options(udp(), b"\x89\x07\x04\x0a\x00\x00\x01"), "ip-options"),
        ("option of length 0", with_options(udp(), b"\x07\x00\x04\x00"), "ip-options"),
        ("option beyond the header", with_options(udp(), b"\x07\x27\x04\x00"), "ip-options"),
        ("source of nobody here", raw(udp(src="10.1.2.3")), "ip-source"),
        ("source loopback", raw(udp(src="127.0.0.1")), "ip-source"),
        ("source group", raw(udp(src="224.0.0.1")), "ip-source"),
        ("source all ones", raw(udp(src="255.255.255.255")), "ip-source"),
        ("source is the router", raw(udp(src=ROUTER)), "ip-source"),
        ("destination loopback", raw(udp(dst="127.0.0.1")), "ip-destination"),
        ("destination 0.0.0.1", raw(udp(dst="0.0.0.1")), "ip-destination"),
        ("destination class E", raw(udp(dst="240.1.2.3")), "ip-destination"),
        ("TTL 0", raw(udp(ttl=0)), "ttl"),
        ("TTL 1", raw(udp(ttl=1)), "ttl"),
        ("TCP cut short", patched(cut(tcp(), 14 + 20 + 12), 16, b"\x00\x20"), "l4-header"),
        ("TCP offset 4", patched(tcp(), 46, b"\x40"), "l4-header"),
        ("TCP offset beyond the packet", patched(tcp(), 46, b"\xf0"), "l4-header"),
        ("UDP cut short", patched(cut(udp(), 14 + 20 + 6), 16, b"\x00\x1a"), "l4-header"),
        ("UDP length 7", patched(udp(), 38, b"\x00\x07"), "l4-header"),
        ("UDP length beyond the packet", patched(udp(), 38, b"\x00\x80"), "l4-header"),
        ("ICMP of 4 bytes", raw(from_lan(mac, proto=1) / Raw(b"\x08\x00\xf7\xff")), "l4-header"),
        ("ICMP error cut short", raw(from_lan(mac) / ICMP(type=3, code=3) / Raw(b"x" * 8)), "l4-header"),
        ("SCTP", raw(from_lan(mac, proto=132) / Raw(b"x" * 20)), "protocol"),
        ("protocol 255", raw(from_lan(mac, proto=255) / Raw(b"x" * 20)), "protocol"),
        ("first fragment without a TCP header", raw(from_lan(mac, proto=6, flags="MF") / Raw(b"x" * 8)), "fragment"),
        ("fragment at TCP's flags", raw(from_lan(mac, proto=6, frag=1) / Raw(b"x" * 40)), "fragment"),
        ("fragment beyond 64 KB", raw(from_lan(mac, proto=17, frag=8189) / Raw(b"x" * 60)), "fragment"),
        ("ICMP error about nothing", raw(from_lan(mac) / ICMP(type=3, code=3) /
                                         IPerror(src=SERVER, dst=EVIL_IP) / UDPerror(sport=9, dport=9)),
         "icmp-no-flow"),
    ]


def uplink_rows(mac, address):
    """The same from the outside. address is the router's there."""
    def udp(**fields):
        fields = {"src": SERVER, "dst": address, **fields}
        return Ether(src=ISP_MAC, dst=mac) / IP(**fields) / UDP(sport=53, dport=40000) / Raw(b"x" * 32)

    def icmp(*layers):
        packet = Ether(src=ISP_MAC, dst=mac) / IP(src=SERVER, dst=address)
        for layer in layers:
            packet = packet / layer
        return raw(packet)

    inner = IPerror(src=address, dst=SERVER) / UDPerror(sport=41234, dport=9)
    broken = bytearray(icmp(ICMP(type=3, code=3), inner))
    broken[36] ^= 0x55
    return [
        ("13 bytes", cut(udp(), 13), "eth-short"),
        ("group source", raw(Ether(src="03:00:00:00:00:01", dst=mac) / IP(src=SERVER, dst=address)), "eth-source"),
        ("another station's", raw(Ether(src=ISP_MAC, dst="02:00:00:00:99:99") / IP(src=SERVER, dst=address)),
         "eth-not-for-us"),
        ("IPv6", raw(Ether(src=ISP_MAC, dst=mac, type=0x86DD) / Raw(b"\x60" + bytes(49))), "eth-type"),
        ("version 5", patched(udp(), 14, b"\x55"), "ip-header"),
        ("bad IP checksum", patched(udp(), 24, b"\xde\xad"), "ip-checksum"),
        ("loose source route", with_options(udp(), b"\x83\x07\x04\x0a\x00\x00\x01"), "ip-options"),
        ("source of the LAN", raw(udp(src="192.168.8.7")), "ip-source"),
        ("source is the router", raw(udp(src=address)), "ip-source"),
        ("UDP length 7", patched(udp(), 38, b"\x00\x07"), "l4-header"),
        ("UDP nobody asked for", raw(udp()), "unsolicited"),
        ("TCP nobody asked for", raw(Ether(src=ISP_MAC, dst=mac) / IP(src=SERVER, dst=address) /
                                     TCP(sport=80, dport=40000, flags="SA")), "unsolicited"),
        ("echo reply nobody asked for", icmp(ICMP(type=0, id=77)), "unsolicited"),
        ("ICMP with a wrong sum", bytes(broken), "l4-checksum"),
        ("ICMP error about no flow", icmp(ICMP(type=3, code=3), inner), "icmp-no-flow"),
        ("ICMP error about another's packet", icmp(ICMP(type=11), IPerror(src="203.0.113.200", dst=SERVER) /
                                                   UDPerror(sport=9, dport=9)), "icmp-no-flow"),
        ("SCTP", raw(Ether(src=ISP_MAC, dst=mac) / IP(src=SERVER, dst=address, proto=132) / Raw(b"x" * 20)),
         "protocol"),
    ]


def drop_of(siege, wire, port, frame):
    """Sends a frame some times; returns {reason: how many more} as the router counts them, once it has all."""
    before = siege.router.status()
    for _ in range(REPEAT):
        wire.send(frame)
    after = wait_until(lambda: (s := siege.router.status()).ports[port].received
                       + s.ports[port].rare.get("rx-bad", 0) >= before.ports[port].received
                       + before.ports[port].rare.get("rx-bad", 0) + REPEAT and s, 10, "the router has received it")
    counts = {reason: count - before.drops.get(reason, 0) for reason, count in after.drops.items()}
    bad = after.ports[port].rare.get("rx-bad", 0) - before.ports[port].rare.get("rx-bad", 0)
    after.check_sum()
    return {**{reason: count for reason, count in counts.items() if count}, **({"rx-bad": bad} if bad else {})}


def judge(rows, siege, wire, port):
    """Every row of a table; all that are wrong are told at once."""
    wrong = []
    for name, frame, reason in rows:
        if reason == "eth-short" and NIC not in (VIRTIO, MMIO):
            continue  # on Ethernet proper there is none: QEMU fills them up
        found = drop_of(siege, wire, port, frame)
        # Below an Ethernet header the driver itself may have refused the frame.
        wanted = [{reason: REPEAT}] + ([{"rx-bad": REPEAT}] if reason == "eth-short" else [])
        if found not in wanted:
            wrong.append(f"{name}: wanted {reason} {REPEAT} times, counted {found}")
    assert not wrong, "\n" + "\n".join(wrong)


@requirement("R1", "RFC 1812 s. 5.2.2")
@requirement("R4", "RFC 1812 s. 5.3.7")
def test_every_reason_from_the_lan(siege):
    """Each row is dropped, for its reason and no other, as often as it was sent."""
    judge(lan_rows(siege.mac), siege, siege.lan, 2)
    siege.serves()


@requirement("R1", "RFC 1812 s. 5.2.2")
@requirement("R4", "RFC 1812 s. 5.3.7")
def test_every_reason_from_the_uplink(siege):
    """The same from outside."""
    judge(uplink_rows(siege.router.mac(0), siege.address), siege, siege.uplink, 0)
    siege.serves()


def test_malformed_for_the_router_itself(siege):
    """DHCP, DNS and ARP that lie about their lengths are for the router's own services to survive."""
    mac = siege.mac
    bootp = bytes([1, 1, 6, 0]) + b"\1\2\3\4" + bytes(20) + bytes.fromhex(EVIL_MAC.replace(":", "")) + bytes(202)
    cookie = b"\x63\x82\x53\x63"
    dhcp = Ether(src=EVIL_MAC, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / \
        UDP(sport=68, dport=67)
    dns = from_lan(mac, dst=ROUTER) / UDP(sport=5000, dport=53)
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    arp = Ether(src=EVIL_MAC, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=EVIL_MAC, psrc=EVIL_IP, pdst=ROUTER)
    frames = [raw(dhcp / Raw(payload)) for payload in (
        b"", bootp[:100], bootp, bootp + cookie, bootp + cookie + b"\x35", bootp + cookie + b"\x35\xff\x01",
        bootp + cookie + b"\x35\x01", bootp + cookie + b"\x35\x00\xff", bootp + cookie + b"\x35\x01\x63\xff",
        bootp + cookie + b"\x35\x01\x03\x32\x02\x01\x02\xff", bootp + cookie + b"\x00" * 300,
        bootp + cookie + b"\x35\x01\x01\x3d\xff" + b"x" * 100)]
    frames += [raw(dns / Raw(payload)) for payload in (
        b"", b"\x12", query, query + b"\x3f", query + b"\xc0\x0c\x00\x01\x00\x01", query + b"\xc0\xff",
        query + b"\x3f" * 300, query + b"\x01a" * 200 + b"\0\0\1\0\1", query[:4] + b"\xff" * 8 + b"\0\0\1\0\1",
        b"\x12\x34\x81\x80" + query[4:] + b"\1a\0\0\1\0\1")]
    frames += [raw(arp)[:size] for size in (14, 20, 30, 41)]
    frames += [patched(arp, offset, value) for offset, value in (
        (14, b"\x00\x09"), (16, b"\x86\xdd"), (18, b"\xff"), (19, b"\x00"), (20, b"\x00\x09"))]
    before = siege.router.status()
    for frame in frames * REPEAT:
        siege.lan.send(frame)
    status = wait_until(lambda: (s := siege.router.status()).ports[2].received
                        >= before.ports[2].received + len(frames) * REPEAT and s, 10, "all were received")
    status.check_sum()
    siege.serves()


def lies(frame, addresses):
    """Whether a frame is ARP that claims one of the addresses: an attack that works, but no malformed frame."""
    return frame[12:14] == b"\x08\x06" and frame[28:32] in [socket.inet_aton(address) for address in addresses]


def mutants(rows, valid, count, addresses):
    """Many distinct frames: the tables' own, and valid ones with bytes flipped, ends cut, or tails of noise.

    None of them claims one of the addresses for itself.
    """
    rng = random.Random(SEED)
    frames = [frame for _, frame, _ in rows]
    while len(frames) < count:
        data = bytearray(rng.choice(valid))
        kind = rng.randrange(4)
        if kind == 0:
            del data[rng.randrange(1, len(data)):]
        elif kind == 1:
            data += rng.randbytes(rng.randrange(1, 200))
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(12 if len(data) > 12 and rng.random() < 0.9 else 0, len(data)) if data else 0
            data[at:at + 1] = rng.randbytes(1)
        if not lies(data, addresses):
            frames.append(bytes(data))
    rng.shuffle(frames)
    return frames


def valid_frames(mac, source_mac, source, target):
    """Right frames of many kinds to make wrong ones of."""
    to = Ether(src=source_mac, dst=mac) / IP(src=source, dst=target)
    return [raw(p) for p in (
        to / UDP(sport=1234, dport=53) / Raw(b"q" * 40), to / TCP(sport=1234, dport=80, flags="S"),
        to / TCP(sport=1234, dport=80, flags="PA", options=[("MSS", 1460), ("WScale", 7)]) / Raw(b"d" * 200),
        to / ICMP() / Raw(b"e" * 56), to / ICMP(type=3, code=4) / IPerror(src=target, dst=source) / UDPerror(),
        Ether(src=source_mac, dst=mac) / IP(src=source, dst=target, flags="MF", id=5) / UDP() / Raw(b"f" * 64),
        Ether(src=source_mac, dst=mac) / IP(src=source, dst=target, frag=10, id=5, proto=17) / Raw(b"f" * 64),
        Ether(src=source_mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=source_mac, psrc=source, pdst=ROUTER),
        Ether(src=source_mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
        / UDP(sport=68, dport=67) / Raw(b"\1\1\6\0" + bytes(232) + b"\x63\x82\x53\x63\x35\x01\x01\xff"))] \
        + [with_options(to / UDP(sport=1234, dport=7), b"\x07\x07\x04\0\0\0\0")]


def test_a_million_malformed_frames(siege, say):
    """Half from each side, as fast as the router takes them; it goes on serving meanwhile and afterwards."""
    router = siege.router
    spared = [ROUTER, siege.lease.address, siege.address, GATEWAY]
    lan = mutants(lan_rows(siege.mac), valid_frames(siege.mac, EVIL_MAC, EVIL_IP, SERVER), 5000, spared)
    uplink = mutants(uplink_rows(router.mac(0), siege.address),
                     valid_frames(router.mac(0), ISP_MAC, NEIGHBOUR, siege.address), 5000, spared)
    before, start, sent = router.status(), time.monotonic(), 0
    while sent < MILLION:
        for one, two in zip(lan, uplink):
            siege.lan.send(one)
            siege.uplink.send(two)
        sent += len(lan) + len(uplink)
        if sent % 100_000 == 0:
            say(f"{sent} frames, {sent / (time.monotonic() - start):.0f} a second")
            assert siege.host.run("ping", "-c", 3, "-i", 0.1, "-W", 2, ROUTER, check=False).returncode == 0
    after = wait_until(lambda: (s := router.status()).received + s.missed - before.received >= sent * 0.99 and s, 30,
                       "the router has received them")
    dropped = {name: count - before.drops.get(name, 0) for name, count in after.drops.items()}
    say(" ".join(f"{name}={count}" for name, count in sorted(dropped.items()) if count))
    after.check_sum()
    for number in (0, 2):
        came = after.ports[number].received + after.ports[number].missed - before.ports[number].received
        assert came >= sent // 2 * 0.99
    assert sum(dropped.values()) > sent // 4, "frames this bad were not dropped"
    siege.serves()
