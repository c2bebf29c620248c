# SPDX-License-Identifier: BSD-3-Clause
"""Fragments through NAT, in virtual time: RFC 4787 REQ-14, RFC 6864, CVE-2018-5391. The drawing is lab/wires.py's."""

import random

import pytest
from scapy.all import IP, UDP, Raw, fragment, raw

from lab.requirements import requirement
from lab.wires import FAR, UPLINK, Stage, flood_frame, only, payload, udp

DATA = bytes(number % 251 for number in range(4000))


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router, with a mapping of a's port 6000 that the outside may use."""
    with Stage() as made:
        assert made.put(made.a, udp(made.a, 6000, FAR, 9)).outside[0].sport == 6000
        yield made
        made.status().check_sum()


def cut(packet, ident):
    """A packet's fragments."""
    packet.id = ident
    return [IP(raw(piece)) for piece in fragment(packet, 1400)]


def together(packets):
    """The payload of the datagrams that these fragments make up, by (source, identification); None where one is
    incomplete."""
    datagrams = {}
    for packet in packets:
        datagrams.setdefault((packet.src, packet.dst, packet.id), []).append(packet)
    whole = {}
    for key, pieces in datagrams.items():
        data, end = {}, None
        for piece in pieces:
            body = raw(piece.payload)[:piece.len - 20]
            data.update(enumerate(body, piece.frag * 8))
            if not piece.flags.MF:
                end = piece.frag * 8 + len(body)
        complete = end is not None and sorted(data) == list(range(end))
        whole[key] = bytes(data[at] for at in range(end)) if complete else None
    return whole


def arrived(packets):
    """The datagrams that came whole, as UDP."""
    return [UDP(data) for data in together(packets).values() if data]


def both_ways(stage, ident, order):
    """Sends DATA in fragments in this order from a and to a; returns how often it came whole, outwards and inwards."""
    out = cut(udp(stage.a, 6000, FAR, 9, DATA), ident)
    back = cut(udp(FAR, 9, UPLINK, 6000, DATA), ident)
    outside = arrived(stage.put(stage.a, *(out[at] for at in order)).outside)
    inside = arrived(stage.put(stage.gateway, *(back[at] for at in order)).inside)
    assert all(raw(datagram[Raw]) == DATA for datagram in outside + inside)
    return len(outside), len(inside)


@requirement("U14", "RFC 4787 REQ-14")
def test_in_order(stage):
    """First to last, outwards and inwards: whole, with ports as they should be."""
    assert both_ways(stage, 100, (0, 1, 2)) == (1, 1)
    seen = stage.put(stage.gateway, *cut(udp(FAR, 9, UPLINK, 6000, DATA), 101))
    assert {packet.dst for packet in seen.packets[1]} == {stage.a.ip}


@requirement("U14", "RFC 4787 REQ-14")
def test_middle_and_last_exchanged(stage):
    """The first first, then the last, then the middle."""
    assert both_ways(stage, 102, (0, 2, 1)) == (1, 1)


@requirement("U14", "RFC 4787 REQ-14a")
@pytest.mark.parametrize("order", [(2, 1, 0), (1, 0, 2), (2, 0, 1), (1, 2, 0)], ids=str)
def test_any_order(stage, order):
    """The first one later than others."""
    assert both_ways(stage, 200 + order[0] * 9 + order[1] * 3, order) == (1, 1)


@requirement("U14", "RFC 4787 REQ-14")
def test_duplicates_do_no_harm(stage):
    """Every fragment twice: whole, and nothing else made of them."""
    assert both_ways(stage, 103, (0, 0, 1, 1, 2, 2)) == (1, 1)


@requirement("fragments", "CVE-2018-5391")
@requirement("U14", "RFC 4787 REQ-14")
def test_overlap_drops_the_datagram(stage):
    """A fragment that covers bytes of another with others: nothing of that datagram arrives whole."""
    pieces = cut(udp(FAR, 9, UPLINK, 6000, DATA), 300)
    evil = pieces[1].copy()
    evil.frag -= 2
    evil.payload = Raw(b"E" * len(pieces[1].payload))
    del evil.chksum, evil.len
    assert arrived(stage.put(stage.gateway, pieces[0], evil, pieces[1], pieces[2]).inside) == []


@requirement("U14", "RFC 4787 REQ-14")
@requirement("fragments", "CVE-2018-5391")
def test_fragment_floods_cost_others_nothing(stage):
    """5,000 datagrams of which only first, or only later, fragments come, from many sources outside and from b: a's
    datagrams in the middle of it are whole."""
    rng = random.Random(14)
    strangers = [f"198.51.{rng.randrange(256)}.{rng.randrange(1, 255)}" for _ in range(100)]
    theirs = [[stage.frame(stage.gateway, piece) for piece in cut(udp(stranger, 9, UPLINK, 6000, DATA), 1)]
              for stranger in strangers]
    first_of_b = bytearray(flood_frame(stage.b, stage.b.ip, 6001, FAR, 9))
    first_of_b[20:22] = b"\x20\0"
    for turn in range(10):
        stage.put(stage.gateway, *(with_id(theirs[ident % 100][ident // 100 % 3], ident + turn)
                                   for ident in range(500)))
        out = cut(udp(stage.a, 6000, FAR, 9, DATA), 400 + turn)
        back = cut(udp(FAR, 9, UPLINK, 6000, DATA), 400 + turn)
        stage.put(stage.a, out[0])
        stage.put(stage.gateway, back[0])
        stage.put(stage.b, *(with_id(first_of_b, ident) for ident in range(500)))
        assert len(stage.put(stage.a, *out[1:]).outside) == 2, f"turn {turn}: outwards"
        assert len([packet for packet in stage.put(stage.gateway, *back[1:]).packets[1]
                    if packet.id == 400 + turn]) == 2, f"turn {turn}: inwards"


def with_id(frame, ident):
    """A frame with another identification; the header's checksum is made right."""
    header = bytearray(frame[14:34])
    header[4:6], header[10:12] = ident.to_bytes(2, "big"), b"\0\0"
    total = sum(int.from_bytes(header[at:at + 2], "big") for at in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    header[10:12] = (~((total & 0xFFFF) + (total >> 16)) & 0xFFFF).to_bytes(2, "big")
    return bytes(frame[:14] + header + frame[34:])


@requirement("R6", "RFC 6864 s. 5.3.1")
def test_two_hosts_with_one_identification(stage):
    """a and b send fragmented datagrams with the same identification to one server, interleaved: outside they are two
    datagrams, both right."""
    datas = {host: bytes([65 + number]) * 4000 for number, host in enumerate(stage.lan)}
    pieces = [cut(udp(host, 6002, FAR, 9, data), 777) for host, data in datas.items()]
    packets = []
    for pair in zip(*pieces):
        for host, piece in zip(stage.lan, pair):
            packets += stage.put(host, piece).outside
    assert sorted(raw(datagram[Raw]) for datagram in arrived(packets)) == sorted(datas.values())


@requirement("R6", "RFC 6864 s. 4.1")
def test_identification_of_atomic_datagrams_means_nothing(stage):
    """Datagrams with DF and one identification, from both hosts: each arrives, none is taken for another's part."""
    for ident in (0, 777, 777):
        for host in stage.lan:
            packet = only(stage.put(host, udp(host, 6003, FAR, 9, b"atomic", id=ident, flags="DF")).outside)
            assert payload(packet) == b"atomic"
