# SPDX-License-Identifier: BSD-3-Clause
"""RFC 4787, requirement by requirement: UDP through the unmodified image, in virtual time (lab/wires.py).

    [a] 192.168.8.10 ---- port 1 [        ]
    [b] 192.168.8.11 ---- port 2 [ router ] port 0 203.0.113.2 ---- 203.0.113.1 [gateway] everybody outside
"""

import pytest
from scapy.all import ICMP, IP, IPerror, Raw, UDPerror, raw

from lab.requirements import requirement
from lab.wires import FAR, FARTHER, GATEWAY, UPLINK, Stage, flood_frame, only, payload, sums_are_right, udp

UPLINK_MTU = 1400
LAN_A = "192.168.8.10"


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router for most."""
    with Stage() as made:
        yield made
        made.status().check_sum()


def mapped(stage, host, sport, to=FAR, dport=9):
    """The outside port of a datagram of the host's; it is seen outside unharmed, with the outside address."""
    packet = only(stage.put(host, udp(host, sport, to, dport)).outside)
    assert (packet.src, packet.dst, packet.dport, payload(packet)) == (UPLINK, to, dport, b"payload")
    sums_are_right(packet)
    return packet.sport


def heard(stage, host, sport, port, source=FAR, dport=9):
    """Whether the host hears what is sent to an outside port; if so it is as it should be, and nobody else does."""
    seen = stage.put(stage.gateway, udp(source, dport, UPLINK, port))
    assert not seen.outside, seen
    if not seen:
        return False
    packet = only(seen.packets[host.line.number])
    assert len(seen.inside) == 1, seen
    assert (packet.src, packet.sport, packet.dst, packet.dport) == (source, dport, host.ip, sport)
    sums_are_right(packet)
    return True


@requirement("U1", "RFC 4787 REQ-1")
def test_mapping_is_endpoint_independent(stage):
    """One inside port to 50 endpoints outside: one outside port."""
    ports = {mapped(stage, stage.a, 4001, f"198.51.100.{host}", port)
             for host in range(1, 11) for port in (9, 53, 443, 3478, 50000)}
    assert len(ports) == 1, ports


@requirement("U3", "RFC 4787 REQ-3")
def test_no_port_overloading(stage):
    """Two hosts with one source port to one destination: two outside ports, and each hears its own."""
    ports = [mapped(stage, host, 4003) for host in stage.lan]
    assert ports[0] != ports[1]
    for host, port in zip(stage.lan, ports):
        assert heard(stage, host, 4003, port)


@requirement("U3", "RFC 4787 REQ-3a")
@pytest.mark.parametrize("low,sport", [(True, 500), (False, 1024), (False, 40003)])
def test_port_range_is_kept(stage, low, sport):
    """0-1023 and 1024-65535 stay what they are, also where the port itself is taken."""
    for host in stage.lan:
        assert (mapped(stage, host, sport) < 1024) == low


@requirement("U4", "RFC 4787 REQ-4")
@pytest.mark.parametrize("sport", [4004, 4005, 60004, 60005])
def test_parity_is_kept(stage, sport):
    """Even and odd, also where the port itself is taken."""
    for host in stage.lan:
        assert mapped(stage, host, sport) % 2 == sport % 2


@requirement("U5", "RFC 4787 REQ-5")
def test_mapping_life(stage):
    """After one packet out 119 s; after a conversation 299 s; and not for ever."""
    one_way, stream = mapped(stage, stage.a, 4010), mapped(stage, stage.a, 4011)
    assert heard(stage, stage.a, 4011, stream)
    assert mapped(stage, stage.a, 4011) == stream
    start = stage.now()
    stage.pass_time(119, start)
    assert heard(stage, stage.a, 4010, one_way), "gone before 120 s"
    stage.pass_time(299, start)
    assert heard(stage, stage.a, 4011, stream), "gone before 300 s"
    stage.pass_time(310, start)
    assert not heard(stage, stage.a, 4011, stream), "there was nothing from inside for 310 s"


@requirement("U6", "RFC 4787 REQ-6")
def test_outbound_refreshes(stage):
    """A packet from inside every 100 s keeps the mapping of a host that nobody answers."""
    port = mapped(stage, stage.a, 4012)
    for _ in range(4):
        stage.pass_time(100)
        assert mapped(stage, stage.a, 4012) == port
    stage.pass_time(100)
    assert heard(stage, stage.a, 4012, port)


@requirement("U6", "RFC 4787 REQ-6")
def test_inbound_does_not_refresh(stage):
    """What comes in every 50 s does not keep a mapping that the host inside has forgotten."""
    port = mapped(stage, stage.a, 4013)
    assert heard(stage, stage.a, 4013, port)
    assert mapped(stage, stage.a, 4013) == port
    start = stage.now()
    for moment in range(50, 300, 50):
        stage.pass_time(moment, start)
        assert heard(stage, stage.a, 4013, port)
    stage.pass_time(310, start)
    assert not heard(stage, stage.a, 4013, port)


@requirement("U7", "RFC 4787 REQ-7")
def test_outside_with_our_own_addresses():
    """The uplink's lease is in the LAN's own subnet: the console says so, and nothing goes the wrong way."""
    with Stage(uplink="uplink=0,dhcp") as stage:
        del stage.ends[0]  # it has no address to ping there
        stage.lease("192.168.8.50", "192.168.8.254")
        with stage.running():
            stage.router.wait_for(r"^error.* overlaps network lan")
        seen = stage.put(stage.a, udp(stage.a, 4000, FAR, 9), udp(stage.a, 4000, "192.168.8.254", 9))
        assert not seen.outside, seen


@requirement("U8", "RFC 4787 REQ-8")
def test_filtering_is_endpoint_independent(stage):
    """Whoever knows the outside port is heard, from any address and port."""
    port = mapped(stage, stage.a, 4020)
    for source, dport in ((FAR, 9), (FAR, 10), (FARTHER, 9), (GATEWAY, 60000), ("192.0.2.200", 1)):
        assert heard(stage, stage.a, 4020, port, source, dport), (source, dport)
    assert not heard(stage, stage.a, 4020, port ^ 1), "and no other port leads there"


@pytest.fixture(scope="module", name="strict")
def fixture_strict():
    """A router that filters by address, with a forward to a."""
    with Stage(f"net=lan,nat,filter=address-dependent fwd=udp:9009:{LAN_A}:8000") as made:
        yield made
        made.status().check_sum()


@requirement("U8", "RFC 4787 REQ-8")
def test_filtering_by_address(strict):
    """Where the network wants it so: only addresses are heard that the host has sent to by that port, from any port of
    theirs; forwards and ICMP errors are everybody's. The console says so."""
    port = mapped(strict, strict.a, 4021)
    assert heard(strict, strict.a, 4021, port) and heard(strict, strict.a, 4021, port, FAR, 10)
    assert not heard(strict, strict.a, 4021, port, FARTHER)
    assert strict.status().drops["filtered"] == 1
    other = mapped(strict, strict.a, 4022, FARTHER)
    assert other != port and not heard(strict, strict.a, 4021, port, FARTHER), "by another port"
    assert mapped(strict, strict.a, 4021, FARTHER) == port
    assert heard(strict, strict.a, 4021, port, FARTHER, 12345)
    assert heard(strict, strict.a, 8000, 9009, GATEWAY)
    sent = only(strict.put(strict.a, udp(strict.a, 4021, FAR, 9)).outside)
    assert only(strict.put(strict.gateway, icmp_error(11, 0, sent, GATEWAY)).inside)[ICMP].type == 11
    assert "filter address-dependent" in strict.router.tail(1000)


@requirement("U8", "RFC 4787 REQ-8")
def test_filter_ends_with_the_hosts_interest(strict):
    """What comes in does not keep it open."""
    port, start = mapped(strict, strict.a, 4023), strict.now()
    assert mapped(strict, strict.a, 4023, FARTHER) == port
    for moment in (60, 110):
        strict.pass_time(moment, start)
        assert mapped(strict, strict.a, 4023, FARTHER) == port
        assert heard(strict, strict.a, 4023, port, FAR, moment)
    strict.pass_time(125, start)
    assert not heard(strict, strict.a, 4023, port, FAR, 7) and heard(strict, strict.a, 4023, port, FARTHER, 7)


@requirement("U9", "RFC 4787 REQ-9")
def test_hairpin_where_it_is_filtered(strict):
    """Two hosts that call each other's outside ports hear each other from the second call on."""
    ports = {4034: mapped(strict, strict.a, 4034), 4035: mapped(strict, strict.b, 4035)}
    assert not strict.put(strict.a, udp(strict.a, 4034, UPLINK, ports[4035]))
    for source, sport, target, dport in ((strict.b, 4035, strict.a, 4034), (strict.a, 4034, strict.b, 4035)):
        packet = only(strict.put(source, udp(source, sport, UPLINK, ports[dport])).packets[target.line.number])
        assert (packet.src, packet.sport, packet.dst, packet.dport) == (UPLINK, ports[sport], target.ip, dport)


@requirement("U9", "RFC 4787 REQ-9")
def test_hairpin_has_the_outside_source(stage):
    """a calls b's outside port: b sees a's outside address and port, and the answer comes the same way."""
    of_a, of_b = mapped(stage, stage.a, 4030), mapped(stage, stage.b, 4031)
    for source, sport, target, dport in ((stage.a, 4030, stage.b, 4031), (stage.b, 4031, stage.a, 4030)):
        ports = {4030: of_a, 4031: of_b}
        seen = stage.put(source, udp(source, sport, UPLINK, ports[dport]))
        packet = only(seen.inside)
        assert not seen.outside and packet in seen.packets[target.line.number]
        assert (packet.src, packet.sport, packet.dst, packet.dport) == (UPLINK, ports[sport], target.ip, dport)
        sums_are_right(packet)


@requirement("U9", "RFC 4787 REQ-9")
def test_hairpin_to_oneself(stage):
    """A host reaches its own mapping, from another port of its own and through the same rules."""
    port = mapped(stage, stage.a, 4032)
    packet = only(stage.put(stage.a, udp(stage.a, 4033, UPLINK, port)).inside)
    assert (packet.src, packet.dst, packet.dport) == (UPLINK, stage.a.ip, 4032)


SIP = (b"INVITE sip:bob@198.51.100.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.8.10:5060\r\n"
       b"Contact: <sip:alice@192.168.8.10:5060>\r\nContent-Type: application/sdp\r\nContent-Length: 66\r\n\r\n"
       b"v=0\r\nc=IN IP4 192.168.8.10\r\nm=audio 49170 RTP/AVP 0\r\n")


@requirement("U10", "RFC 4787 REQ-10")
@requirement("slipstream", "NAT slipstreaming")
@pytest.mark.parametrize("dport,data", [
    (5060, SIP), (1719, b"\x2a\x80\x00\x00\x00\xc0\xa8\x08\x0a\x06\xb8"), (69, b"\0\1file\0octet\0")],
    ids=["SIP", "H.323", "TFTP"])
def test_payloads_are_left_alone(stage, dport, data):
    """Addresses in payloads stay as they are, and the ports they name stay closed."""
    packet = only(stage.put(stage.a, udp(stage.a, dport, FAR, dport, data)).outside)
    assert payload(packet) == data
    packet = only(stage.put(stage.gateway, udp(FAR, dport, UPLINK, packet.sport, data)).inside)
    assert payload(packet) == data
    for port in (49170, 49171, 1720, 0x06B8):
        assert not heard(stage, stage.a, port, port), f"port {port} was opened"


@requirement("U11", "RFC 4787 REQ-11")
def test_deterministic_when_nearly_full():
    """With 99 in 100 flows taken and the port in use by another: mapping and filtering are as ever."""
    with Stage("flows=4096") as stage:
        stage.put(stage.b, *(flood_frame(stage.b, f"192.168.8.{20 + number % 200}", 4001, FAR, 1 + number // 200)
                             for number in range(4096 - 40)))
        assert "flows 4056 of 4096" in stage.status().text
        ports = {mapped(stage, stage.a, 4001, f"198.51.100.{host}") for host in range(1, 11)}
        assert len(ports) == 1 and 4001 not in ports, ports
        for source in (FAR, FARTHER, GATEWAY):
            assert heard(stage, stage.a, 4001, *ports, source, 1234)


def icmp_error(kind, code, inner, source=FAR, to=UPLINK, **fields):
    """An ICMP error from outside that quotes the packet as it was seen there."""
    return IP(src=source, dst=to) / ICMP(type=kind, code=code, **fields) / Raw(raw(inner)[:28])


@requirement("U12", "RFC 4787 REQ-12")
def test_no_icmp_ends_a_mapping(stage):
    """Every type and code of error, from the server and from a stranger on the way: all that pass are heard by the
    host, and the mapping is there afterwards."""
    port = mapped(stage, stage.a, 4040)
    sent = only(stage.put(stage.a, udp(stage.a, 4040, FAR, 9)).outside)
    kinds = [(3, code) for code in range(16)] + [(4, 0)] + [(5, code) for code in range(4)] + \
        [(11, 0), (11, 1), (12, 0), (12, 1), (12, 2)]
    for kind, code in kinds:
        for source in (FAR, FARTHER):
            seen = stage.put(stage.gateway, icmp_error(kind, code, sent, source))
            if kind in (3, 11, 12):
                packet = only(seen.packets[1])
                assert packet.src == source and (packet[ICMP].type, packet[ICMP].code) == (kind, code)
                assert (packet[IPerror].src, packet[UDPerror].sport) == (stage.a.ip, 4040)
        assert heard(stage, stage.a, 4040, port), f"ICMP {kind}/{code} ended the mapping"


@pytest.fixture(scope="module", name="narrow")
def fixture_narrow():
    """A router whose uplink is narrower than its LAN."""
    with Stage(uplink=f"uplink=0,ip={UPLINK}/24,gw={GATEWAY},mtu={UPLINK_MTU}", config="") as made:
        yield made


@requirement("U13", "RFC 4787 REQ-13")
def test_too_big_with_df_is_told(narrow):
    """ICMP 3/4 with the uplink's MTU, about the packet as the host has sent it; nothing goes out."""
    seen = narrow.put(narrow.a, udp(narrow.a, 4050, FAR, 9, bytes(1400), flags="DF"))
    packet = only(seen.inside)
    assert not seen.outside and packet in seen.packets[1]
    assert (packet[ICMP].type, packet[ICMP].code, packet[ICMP].nexthopmtu) == (3, 4, UPLINK_MTU)
    assert (packet[IPerror].src, packet[IPerror].dst, packet[UDPerror].sport) == (narrow.a.ip, FAR, 4050)
    sums_are_right(packet)


@requirement("U13", "RFC 4787 REQ-13a")
def test_too_big_without_df_is_cut_in_order(narrow):
    """Fragments, the first first, that are the datagram again."""
    data = bytes(number % 251 for number in range(1440))
    packets = narrow.put(narrow.a, udp(narrow.a, 4051, FAR, 9, data)).outside
    assert [packet.frag == 0 for packet in packets] == [True, False], packets
    assert all(packet.len <= UPLINK_MTU for packet in packets)
    assert len({packet.id for packet in packets}) == 1
    assert [int(packet.flags.MF) for packet in packets] == [1, 0]
    assert b"".join(raw(packet.payload) for packet in packets)[8:] == data
    for packet in packets:
        right = packet.copy()
        del right.chksum
        assert packet.chksum == IP(raw(right)).chksum
