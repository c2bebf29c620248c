# SPDX-License-Identifier: BSD-3-Clause
"""RFC 5508, requirement by requirement: ICMP through NAT, in virtual time. The drawing is lab/wires.py's."""

import pytest
from scapy.all import ICMP, IP, UDP, ICMPerror, IPerror, Raw, TCPerror, UDPerror, raw

from lab.requirements import requirement
from lab.wires import FAR, FARTHER, UPLINK, Stage, flood_frame, only, sums_are_right, udp

QUERY_S = 60
BYTES = bytes(range(40))


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router for most."""
    with Stage() as made:
        yield made
        made.status().check_sum()


def ask(stage, host, ident, to=FAR, seq=1):
    """An echo request; returns how it is seen outside."""
    packet = only(stage.put(host, IP(src=host.ip, dst=to) / ICMP(id=ident, seq=seq) / Raw(BYTES)).outside)
    assert (packet.src, packet.dst, packet[ICMP].type, packet[ICMP].seq) == (UPLINK, to, 8, seq)
    assert raw(packet[Raw]) == BYTES
    sums_are_right(packet)
    return packet


def answer(stage, host, ident, outside, source=FAR, seq=1):
    """The reply to an outside identifier: whether the host hears it."""
    seen = stage.put(stage.gateway, IP(src=source, dst=UPLINK) / ICMP(type=0, id=outside, seq=seq) / Raw(BYTES))
    if not seen.inside:
        return False
    packet = only(seen.packets[host.line.number])
    assert (packet.src, packet.dst, packet[ICMP].id, packet[ICMP].seq) == (source, host.ip, ident, seq)
    sums_are_right(packet)
    return True


def sent(stage, host, sport, data=b"x" * 40, **fields):
    """A datagram as seen outside, about which there can be errors."""
    return only(stage.put(host, udp(host, sport, FAR, 9, data, **fields)).outside)


def error(about, kind=3, code=3, source=FAR, to=UPLINK, quoted=28, **fields):
    """An ICMP error about a packet: it quotes so many bytes."""
    return IP(src=source, dst=to) / ICMP(type=kind, code=code, **fields) / Raw(raw(about)[:quoted])


@requirement("I1", "RFC 5508 REQ-1")
def test_queries_pass_and_map_independently(stage):
    """One identifier to 10 hosts: one outside identifier; the same one of another host: another; all are answered."""
    idents = {ask(stage, stage.a, 7001, f"198.51.100.{number}")[ICMP].id for number in range(1, 11)}
    other = ask(stage, stage.b, 7001)[ICMP].id
    assert len(idents) == 1 and other not in idents
    for number in range(1, 11):
        assert answer(stage, stage.a, 7001, *idents, source=f"198.51.100.{number}")
    assert answer(stage, stage.b, 7001, other)


@requirement("I2", "RFC 5508 REQ-2")
def test_query_life(stage):
    """59 s after the request the reply is heard; long after, not."""
    ident = ask(stage, stage.a, 7002)[ICMP].id
    start = stage.now()
    stage.pass_time(QUERY_S - 1, start)
    assert answer(stage, stage.a, 7002, ident)
    stage.pass_time(QUERY_S + 15, start)
    assert not answer(stage, stage.a, 7002, ident), "a reply is no request"


@requirement("I3", "RFC 5508 REQ-3")
def test_wrong_sums_are_dropped(stage):
    """A wrong ICMP checksum; a wrong checksum of the embedded IP header."""
    about = sent(stage, stage.a, 7003)
    assert only(stage.put(stage.gateway, error(about)).inside)
    wrong = error(about)
    wrong[ICMP].chksum = 0x1234
    inner = bytearray(raw(about)[:28])
    inner[10] ^= 0x55
    for packet in (wrong, IP(src=FAR, dst=UPLINK) / ICMP(type=3, code=3) / Raw(bytes(inner))):
        seen = stage.put(stage.gateway, packet)
        assert not seen.inside and not seen.outside, seen


@requirement("I3", "RFC 5508 REQ-3")
def test_embedded_transport_sum_is_not_looked_at(stage):
    """Whatever it is, the error passes, and the change that translation makes is made to it."""
    about = sent(stage, stage.a, 7004)
    ports = sent(stage, stage.b, 7004)  # another outside port, so that the sum changes by more than the address
    for packet, host in ((about, stage.a), (ports, stage.b)):
        inner = bytearray(raw(packet)[:28])
        inner[26:28] = b"\x12\x34"
        wrong = IP(src=FAR, dst=UPLINK) / ICMP(type=3, code=3) / Raw(bytes(inner))
        got = only(stage.put(stage.gateway, wrong).packets[host.line.number])
        assert got[UDPerror].sport == 7004 and got[IPerror].src == host.ip
        sums_are_right(got)


@requirement("I3", "RFC 5508 REQ-3")
def test_embedded_options_are_skipped(stage):
    """IP options in the quoted header."""
    about = sent(stage, stage.a, 7005)
    inner = IP(src=about.src, dst=about.dst, id=about.id, proto=17, options=[b"\x01", b"\x01", b"\x01", b"\x00"],
               len=about.len + 4) / Raw(raw(about)[20:28])
    got = only(stage.put(stage.gateway, IP(src=FAR, dst=UPLINK) / ICMP(type=3, code=3) / inner).inside)
    assert (got[IPerror].ihl, got[IPerror].src, got[UDPerror].sport) == (6, stage.a.ip, 7005)
    sums_are_right(got)


@requirement("I3", "RFC 5508 REQ-3b")
def test_extensions_pass_unharmed(stage):
    """RFC 4884: a quotation of 128 bytes and behind it a structure of extensions, which stays to the bit."""
    about = sent(stage, stage.a, 7006, b"y" * 200)
    extension = bytes.fromhex("2000dd5d0008010100009dc1")
    packet = IP(src=FAR, dst=UPLINK) / ICMP(type=11, code=0, length=32) / Raw(raw(about)[:128] + extension)
    got = only(stage.put(stage.gateway, packet).inside)
    message = raw(got)[20:]
    assert message[5] == 32 and message[8 + 128:] == extension
    inner = IP(message[8:8 + 128])
    assert (inner.src, inner[UDP].sport) == (stage.a.ip, 7006)
    sums_are_right(got)


def expect_reverted(got, original, quoted):
    """The embedded packet is the original one, but for what routers on the way change (TTL and with it the sum)."""
    message, want = raw(got)[28:28 + quoted], bytearray(raw(IP(raw(original)))[:quoted])
    want[8], want[10:12] = message[8], message[10:12]
    assert message == bytes(want), f"\n{message.hex()}\n{bytes(want).hex()}"
    header = IP(message[:20])
    del header.chksum
    assert IP(raw(header)).chksum == IP(message[:20]).chksum


@requirement("I4", "RFC 5508 REQ-4")
@pytest.mark.parametrize("host", ["a", "b"])
@pytest.mark.parametrize("kind,code", [(3, 0), (3, 1), (3, 3), (3, 13), (11, 0), (11, 1), (12, 0)])
def test_errors_from_outside(stage, host, kind, code):
    """From a router on the way: what is embedded is what the host sent, type, code and source are unchanged."""
    host = getattr(stage, host)
    original = udp(host, 7010, FAR, 9, b"z" * 100)
    about = only(stage.put(host, original).outside)
    for quoted in (28, 128):
        got = only(stage.put(stage.gateway, error(about, kind, code, FARTHER, quoted=quoted)).packets[host.line.number])
        assert (got.src, got.dst, got[ICMP].type, got[ICMP].code) == (FARTHER, host.ip, kind, code)
        expect_reverted(got, original, quoted)
        sums_are_right(got)


@requirement("I4", "RFC 5508 REQ-4")
def test_errors_about_nothing_are_dropped(stage):
    """No mapping, or a quotation that went elsewhere: neither inside nor back."""
    about = sent(stage, stage.a, 7011)
    elsewhere = about.copy()
    elsewhere[IP].dst = "192.0.2.99"
    del elsewhere[IP].chksum
    unknown = IP(raw(udp(UPLINK, 61234, FAR, 9)))
    for packet in (error(unknown), error(elsewhere), error(IP(raw(udp(stage.a, 7011, FAR, 9))))):
        seen = stage.put(stage.gateway, packet)
        assert not seen.inside and not seen.outside, seen


@requirement("I5", "RFC 5508 REQ-5")
@pytest.mark.parametrize("kind,code", [(3, 3), (3, 2), (11, 1), (3, 13)])
def test_errors_from_inside(stage, kind, code):
    """A host's error about a datagram that came in: outside it is from our address and about the datagram as it was
    sent; one about nothing is dropped."""
    port = sent(stage, stage.a, 7012).sport
    original = udp(FAR, 9, UPLINK, port, b"w" * 64)
    about = only(stage.put(stage.gateway, original).inside)
    got = only(stage.put(stage.a, error(about, kind, code, stage.a.ip, FAR)).outside)
    assert (got.src, got.dst, got[ICMP].type, got[ICMP].code) == (UPLINK, FAR, kind, code)
    expect_reverted(got, original, 28)
    sums_are_right(got)
    nothing = IP(raw(udp(FAR, 9, stage.a, 7999, b"w" * 64)))
    assert not stage.put(stage.a, error(nothing, kind, code, stage.a.ip, FAR)).outside


@requirement("I6", "RFC 5508 REQ-6")
def test_errors_about_queries_change_no_life(stage):
    """An error neither ends a query's mapping nor prolongs it."""
    request = ask(stage, stage.a, 7020)
    start = stage.now()
    stage.pass_time(QUERY_S - 5, start)
    got = only(stage.put(stage.gateway, error(request, 11, 0, FARTHER)).inside)
    assert (got[ICMP].type, got[ICMPerror].id, got[IPerror].src) == (11, 7020, stage.a.ip)
    assert answer(stage, stage.a, 7020, request[ICMP].id), "it was ended"
    stage.pass_time(QUERY_S + 15, start)
    assert not answer(stage, stage.a, 7020, request[ICMP].id), "it was prolonged"


@requirement("I7", "RFC 5508 REQ-7")
def test_errors_are_hairpinned(stage):
    """a's datagram to b's outside port, and b's error about it: from the outside address, about what a sent."""
    of_b = sent(stage, stage.b, 7031).sport
    sent(stage, stage.a, 7030)
    original = udp(stage.a, 7030, UPLINK, of_b)
    about = only(stage.put(stage.a, original).packets[2])
    got = only(stage.put(stage.b, error(about, source=stage.b.ip, to=UPLINK)).packets[1])
    assert (got.src, got.dst, got[ICMP].type, got[ICMP].code) == (UPLINK, stage.a.ip, 3, 3)
    expect_reverted(got, original, 28)
    sums_are_right(got)


@requirement("I8", "RFC 5508 REQ-8")
@requirement("C11", "RFC 6888 REQ-11")
@requirement("exhaustion", "table exhaustion")
def test_full_table_says_so_and_evicts_nothing():
    """With no room for a flow, of flows that all go both ways: ICMP 3/13 about the packet to its sender; it is counted;
    flows that were there work."""
    capacity = 1024
    with Stage(f"flows={capacity}") as stage:
        port = sent(stage, stage.a, 7041).sport
        assert stage.put(stage.gateway, udp(FAR, 9, UPLINK, port)).inside
        seen = stage.put(stage.b, *(flood_frame(stage.b, f"192.168.8.{20 + number % 200}", 30000 + number, FAR, 9)
                                    for number in range(capacity - 1)))
        stage.put(stage.gateway, *(flood_frame(stage.gateway, FAR, 9, UPLINK, packet.sport) for packet in seen.outside))
        seen = stage.put(stage.a, udp(stage.a, 7042, FAR, 9))
        got = only(seen.packets[1])
        assert not seen.outside
        assert (got[ICMP].type, got[ICMP].code, got[UDPerror].sport) == (3, 13, 7042)
        sums_are_right(got)
        status = stage.status()
        assert status.drops["flows-full"] > 0
        assert stage.put(stage.gateway, udp(FAR, 9, UPLINK, port)).inside, "a live mapping was evicted"


@requirement("I10", "RFC 5508 REQ-10")
def test_which_messages_pass(stage):
    """Unreachable, time exceeded and echo (all above) pass. Source quench and other queries do not, either way."""
    about = sent(stage, stage.a, 7050)
    port = about.sport
    back = only(stage.put(stage.gateway, udp(FAR, 9, UPLINK, port)).inside)
    for host, packet in ((stage.gateway, error(about, 4, 0)), (stage.a, error(back, 4, 0, stage.a.ip, FAR))):
        seen = stage.put(host, packet)
        assert not seen.inside and not seen.outside, f"source quench passed: {seen}"
    for kind in (9, 10, 13, 15, 17):
        for host, source, to in ((stage.a, stage.a.ip, FAR), (stage.gateway, FAR, UPLINK)):
            seen = stage.put(host, IP(src=source, dst=to) / ICMP(type=kind) / Raw(bytes(20)))
            assert not [packet for packet in seen.outside + seen.inside if packet[ICMP].type == kind], seen


@requirement("T9", "RFC 5382 REQ-9")
def test_tcp_errors_of_eight_bytes(stage):
    """A quotation without the TCP checksum is enough."""
    seen = stage.put(stage.b, flood_frame(stage.b, stage.b.ip, 7060, FAR, 80, 0x02))
    got = only(stage.put(stage.gateway, error(only(seen.outside), 3, 1)).packets[2])
    assert (got[IPerror].src, got[TCPerror].sport, got[TCPerror].seq) == (stage.b.ip, 7060, 1)
    sums_are_right(got)
