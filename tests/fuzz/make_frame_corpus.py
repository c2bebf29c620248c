#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_frame to tests/fuzz/corpus/frame/: one frame of each kind, behind the
twelve bytes of instructions that fuzz_frame.c explains. Checksums are left to the harness."""

import pathlib
import struct

FIX_LENGTH, FIX_CSUM, NEEDS_CSUM, META_TRUE, SHARED = 1, 2, 4, 8, 16
FIX = FIX_LENGTH | FIX_CSUM
MACS = bytes.fromhex("020000000001020000000002")


def control(mode, gso_type=0, gso_size=0, start=0, offset=0, mtu=576, head=0, segs=0, extra=0, left=0):
    return struct.pack(">BBHBBHBBBB", mode, gso_type, gso_size, start, offset, mtu, head, segs,
                       extra, left)


def ip4(proto, payload, options=b"", frag=0):
    vihl = 0x45 + len(options) // 4
    return struct.pack(">BBHHHBBH4s4s", vihl, 0, 20 + len(options) + len(payload), 7, frag, 64,
                       proto, 0, bytes([192, 168, 8, 5]), bytes([203, 0, 113, 9])) + options + payload


def ip6(proto, payload):
    return struct.pack(">IHBB", 6 << 28, len(payload), proto, 64) + bytes([0xFD] + [1] * 31) + payload


def tcp(payload=b"", flags=0x18, options=b""):
    words = 5 + len(options) // 4
    return struct.pack(">HHIIBBHHH", 40000, 443, 0xFFFFFE00, 1, words << 4, flags, 1000, 0,
                       3) + options + payload


def udp(payload=b""):
    return struct.pack(">HHHH", 5353, 53, 8 + len(payload), 0) + payload


def icmp(kind, payload=b"", rest=0):
    return struct.pack(">BBHI", kind, 0, 0, rest) + payload


def eth(packet, kind=0x0800, tags=0):
    tag = b"".join(struct.pack(">HH", 0x8100, 100 + i) for i in range(tags))
    return MACS + tag + struct.pack(">H", kind) + packet


def summed(packet):
    """With the IPv4 header sum, which the harness makes right only in untagged frames."""
    total = sum(struct.unpack(">10H", packet[:20]))
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:10] + struct.pack(">H", 0xFFFF ^ total) + packet[12:]


DATA = bytes(range(64))
SUPER4 = ip4(6, tcp(DATA * 24, 0xF9, b"\1\1\x08\x0a" + bytes(8)))
SEEDS = {
    "tcp": control(FIX) + eth(ip4(6, tcp(DATA))),
    "tcp_syn": control(FIX) + eth(ip4(6, tcp(flags=2, options=b"\2\4\5\xb4\1\3\3\7"))),
    "tcp_syn_odd": control(FIX) + eth(ip4(6, tcp(flags=2, options=b"\1\2\4\5\xb4\4\2\0"))),
    "udp": control(FIX) + eth(ip4(17, udp(DATA))),
    "udp_padded": control(FIX_CSUM) + eth(ip4(17, udp(b"x"))) + bytes(17),
    "gre": control(FIX) + eth(ip4(47, DATA)),
    "echo": control(FIX) + eth(ip4(1, icmp(8, DATA))),
    "error_tcp": control(FIX) + eth(ip4(1, icmp(3, ip4(6, tcp(DATA))))),
    "error_udp_options": control(FIX) + eth(ip4(1, icmp(11, ip4(17, udp(DATA), b"\1\1\1\1")))),
    "error_extended": control(FIX) + eth(ip4(1, icmp(3, ip4(17, udp(DATA * 2))[:128] + DATA, 32 << 16))),
    "error_echo": control(FIX) + eth(ip4(1, icmp(12, ip4(1, icmp(8, DATA))))),
    "options": control(FIX) + eth(ip4(6, tcp(DATA), b"\x94\4\0\0\7\7\4\0\0\0\0\0")),
    "source_route": control(FIX) + eth(ip4(6, tcp(DATA), b"\x83\7\4\1\2\3\4\0")),
    "fragment_first": control(FIX) + eth(ip4(17, udp(DATA), frag=0x2000)),
    "fragment_later": control(FIX) + eth(ip4(17, DATA, frag=0x2003)),
    "fragment_small_mtu": control(FIX, mtu=68, segs=3, head=60, extra=4)
    + eth(ip4(17, udp(), b"\x94\4\0\0\7\4\4\0")),
    "partial_tcp4": control(FIX | NEEDS_CSUM | META_TRUE, segs=2) + eth(ip4(6, tcp(DATA * 3))),
    "partial_udp6": control(NEEDS_CSUM, start=54, offset=6) + eth(ip6(17, udp(DATA)), 0x86DD),
    "partial_tcp6_tagged": control(NEEDS_CSUM, start=62, offset=16)
    + eth(ip6(6, tcp(DATA)), 0x86DD, 2),
    "super_tcp4": control(FIX | NEEDS_CSUM | META_TRUE, 1, 500, head=80, segs=40)
    + eth(SUPER4),
    "super_tcp4_long": control(FIX | NEEDS_CSUM | META_TRUE | SHARED, 0x11, 1448, head=128, segs=255,
                               extra=100) + eth(SUPER4[:52]),
    "super_tcp4_tagged": control(NEEDS_CSUM, 1, 600, start=42, offset=16)
    + eth(summed(SUPER4), tags=2),
    "super_tcp6": control(NEEDS_CSUM, 2, 500, start=54, offset=16, head=100, segs=20)
    + eth(ip6(6, tcp(DATA * 20)), 0x86DD),
    "super_empty_pool": control(FIX | NEEDS_CSUM | META_TRUE, 1, 500, left=2) + eth(SUPER4),
}


def main():
    folder = pathlib.Path(__file__).parent / "corpus" / "frame"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
