# SPDX-License-Identifier: BSD-3-Clause
"""200,000 flows at a time through the booted image, in real time, and every reply looked at.

50 hosts of one network have 500 endpoints each for UDP and as many for TCP, and each endpoint talks to four servers
outside. First all flows are opened, then all are answered: each answer, to the outside endpoint that its flow
was given, must come to the right host and port, with the payload of its own flow and right checksums. A window of
frames is under way at a time, so that nothing may be lost.
"""

import collections
import contextlib
import os
import re
import select
import socket
import struct

from lab.router import Port, Router

ROUTER, UPLINK, GATEWAY = "192.168.8.1", "203.0.113.2", "203.0.113.1"
CONFIG = f"uplink=0,ip={UPLINK}/24,gw={GATEWAY} flows=262144"
HOSTS, FLOWS, REMOTES, WINDOW = 50, 200_000, 4, 96
ALONE = HOSTS * REMOTES  # among these frames is one of every host and one to every server
ENDPOINTS = FLOWS // 2 // REMOTES  # of each protocol
UDP, TCP, SYN, SYN_ACK = 17, 6, 0x02, 0x12
WAIT_S = 60
LAN_MAC, GATEWAY_MAC = bytes.fromhex("525400aa0001"), bytes.fromhex("525400ff0001")
NET = bytes([192, 168, 8])
REMOTE = [bytes([198, 51, 100, 1 + number]) for number in range(REMOTES)]

Flow = collections.namedtuple("Flow", "proto host port remote")  # host: an address


def flow(number):
    """The inside of flow number: the first half is UDP."""
    proto, rest = (UDP, number) if number < FLOWS // 2 else (TCP, number - FLOWS // 2)
    endpoint, remote = divmod(rest, REMOTES)
    return Flow(proto, NET + bytes([10 + endpoint % HOSTS]), 10000 + endpoint // HOSTS, REMOTE[remote])


def folded(data):
    """The one's complement sum; 0xFFFF over what holds its own right checksum."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16)


def frame(ends, flags, source, target, mark):
    """A frame from one (address, port) to another that carries the mark; flags are TCP's, None makes it UDP."""
    (src, sport), (dst, dport) = source, target
    if flags is None:
        proto, at = UDP, 6
        l4 = bytearray(struct.pack("!HHHHI", sport, dport, 12, 0, mark))
    else:
        proto, at = TCP, 16
        l4 = bytearray(struct.pack("!HHIIBBHHHI", sport, dport, 1000, 1001 if flags & 0x10 else 0, 0x50, flags, 8192,
                                   0, 0, mark))
    checksum = 0xFFFF - folded(src + dst + struct.pack("!HH", proto, len(l4)) + l4)
    struct.pack_into("!H", l4, at, checksum or 0xFFFF)  # 0 would say that there is none
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(l4), 1, 0, 64, proto, 0, src, dst))
    struct.pack_into("!H", ip, 10, 0xFFFF - folded(ip))
    return ends + b"\x08\x00" + ip + l4


Seen = collections.namedtuple("Seen", "proto source target flags mark")


def parse(data):
    """What frame() made, when it comes out of the router: its checksums must be right."""
    length = struct.unpack_from("!H", data, 16)[0]
    ip, l4, proto = data[14:34], data[34:14 + length], data[23]
    assert folded(ip) == 0xFFFF, data.hex()
    assert folded(ip[12:] + struct.pack("!HH", proto, len(l4)) + l4) == 0xFFFF, data.hex()
    sport, dport = struct.unpack_from("!HH", l4)
    return Seen(proto, (ip[12:16], sport), (ip[16:20], dport), l4[13] if proto == TCP else None,
                struct.unpack_from("!I", l4, len(l4) - 4)[0])


class End:
    """Our end of a port: sends windows of frames, and answers ARP for everybody with one MAC."""

    def __init__(self, mac):
        self.port, self.socket = Port.frames()
        self.mac = mac
        self.router_mac = None

    def close(self):
        """Ends it."""
        self.socket.close()
        os.close(self.port.fd)

    def read(self):
        """One frame that is of the test, or None."""
        data = self.socket.recv(65536)
        kind = data[12:14]
        if kind == b"\x08\x06" and data[20:22] == b"\0\1" and data[28:32] != data[38:42]:
            self.socket.send(data[6:12] + self.mac + data[12:20] + b"\0\2" + self.mac + data[38:42] + data[22:32])
        return data if kind == b"\x08\0" and data[23] in (UDP, TCP) and not data[0] & 1 else None

    def ask(self, ours, theirs):
        """Learns the router's MAC by ARP."""
        question = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, self.mac, ours, bytes(6), theirs)
        self.socket.send(b"\xff" * 6 + self.mac + b"\x08\x06" + question)
        while self.router_mac is None:
            assert select.select([self.socket], [], [], WAIT_S)[0], "no answer to ARP"
            data = self.socket.recv(65536)
            if data[12:14] == b"\x08\x06" and data[20:22] == b"\0\2":
                self.router_mac = data[22:28]


def carry(source, target, frames):
    """Sends all frames by one end, a window at a time, and gives what comes out of the other. The first ones
    go one by one: the router asks for a MAC for each, and few frames can wait for that."""
    out = []
    windows = [frames[at:at + 1] for at in range(ALONE)]
    windows += [frames[at:at + WINDOW] for at in range(ALONE, len(frames), WINDOW)]
    for window in windows:
        for data in window:
            source.socket.send(data)
        left = len(window)
        while left:
            ready = select.select([source.socket, target.socket], [], [], WAIT_S)[0]
            assert ready, f"{left} frames never came, of a window of {len(window)} after {len(out)} frames"
            if source.socket in ready:
                assert source.read() is None, "came back"
            if target.socket in ready:
                data = target.read()
                if data:
                    out.append(parse(data))
                    left -= 1
    return out


def test_200_000_flows(say):
    """All are there at once, by the router's own count, and every one of them works."""
    with contextlib.ExitStack() as stack:
        outside, lan = End(GATEWAY_MAC), End(LAN_MAC)
        stack.callback(outside.close)
        stack.callback(lan.close)
        router = stack.enter_context(Router([outside.port, lan.port], CONFIG, memory_mb=192))
        router.wait_for(r"^ready ", WAIT_S)
        outside.ask(socket.inet_aton(GATEWAY), socket.inet_aton(UPLINK))
        lan.ask(NET + b"\x0a", socket.inet_aton(ROUTER))

        flows = [flow(number) for number in range(FLOWS)]
        ends = lan.router_mac + lan.mac
        opened = carry(lan, outside, [
            frame(ends, SYN if f.proto == TCP else None, (f.host, f.port), (f.remote, 80), number)
            for number, f in enumerate(flows)])
        assert sorted(seen.mark for seen in opened) == list(range(FLOWS))
        mapped = {}  # an inside endpoint's outside port
        for seen in opened:
            f = flows[seen.mark]
            assert seen.proto == f.proto and seen.target == (f.remote, 80) and seen.flags in (None, SYN)
            assert seen.source[0] == socket.inet_aton(UPLINK)
            assert mapped.setdefault((f.proto, f.host, f.port), seen.source[1]) == seen.source[1]
        assert len(mapped) == 2 * ENDPOINTS
        assert len({(proto, port) for (proto, _, _), port in mapped.items()}) == len(mapped), "a port is two hosts'"
        say(f"{FLOWS} flows by {len(mapped)} mappings;")

        ends = outside.router_mac + outside.mac
        answered = carry(outside, lan, [
            frame(ends, SYN_ACK if f.proto == TCP else None, (f.remote, 80),
                  (socket.inet_aton(UPLINK), mapped[f.proto, f.host, f.port]), FLOWS + number)
            for number, f in enumerate(flows)])
        assert sorted(seen.mark for seen in answered) == list(range(FLOWS, 2 * FLOWS))
        for seen in answered:
            f = flows[seen.mark - FLOWS]
            assert (seen.proto, seen.source, seen.target) == (f.proto, (f.remote, 80), (f.host, f.port)), seen
        status = router.status()
        status.check_sum()
        live = int(re.search(r"flows +(\d+)", status.text).group(1))
        say(f"the router counts {live}")
        assert live >= FLOWS, status.text
