# SPDX-License-Identifier: BSD-3-Clause
"""What any router owes (RFC 1812, 2644, 2827, 6691), and the switch's ageing, in virtual time. The drawing is
lab/wires.py's."""

import random
import struct

import pytest
from scapy.all import ARP, ICMP, IP, TCP, UDP, Ether, IPerror, Raw, UDPerror, raw

from lab.requirements import requirement
from lab.wires import FAR, GATEWAY, ROUTER, UPLINK, Host, Stage, flood_frame, only, payload, sums_are_right, udp

PREFIX = "192.168.8."
STRANGER = "10.1.2.3"


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router for most; its port 9 outside leads to a's port 8000."""
    with Stage(f"fwd=udp:9009:{PREFIX}10:8000") as made:
        yield made
        made.status().check_sum()


@requirement("R1", "RFC 1812 s. 5.3.1")
@pytest.mark.parametrize("ttl", [2, 3, 64, 255])
def test_ttl_is_one_less(stage, ttl):
    """Both ways, and the header's checksum is right."""
    out = only(stage.put(stage.a, udp(stage.a, 8001, FAR, 9, ttl=ttl)).outside)
    back = only(stage.put(stage.gateway, udp(FAR, 9, UPLINK, out.sport, ttl=ttl)).inside)
    assert out.ttl == back.ttl == ttl - 1
    for packet in (out, back):
        sums_are_right(packet)


@requirement("R1", "RFC 1812 s. 5.3.1")
@pytest.mark.parametrize("ttl", [0, 1])
def test_ttl_that_ran_out(stage, ttl):
    """ICMP 11/0 by the router, both ways, about the packet as its sender knows it; nothing goes on."""
    stage.put(stage.a, udp(stage.a, 8002, FAR, 9))
    for host, packet in ((stage.a, udp(stage.a, 8002, FAR, 9, ttl=ttl)),
                         (stage.gateway, udp(FAR, 9, UPLINK, 8002, ttl=ttl))):
        stage.pass_time(2)
        seen = stage.put(host, packet)
        got = only(seen.packets[host.line.number])
        assert len(seen.inside + seen.outside) == 1
        assert (got[ICMP].type, got[ICMP].code) == (11, 0)
        assert (got.src, got.dst) == (ROUTER if host is stage.a else UPLINK, packet.src)
        assert (got[IPerror].src, got[IPerror].dst, got[UDPerror].sport) == (packet.src, packet.dst, packet.sport)
        sums_are_right(got)


def refused(stage, host, packets):
    """Fails if anything at all comes of any of the packets."""
    for name, packet in packets.items():
        seen = stage.put(host, packet)
        assert not any(seen.packets), f"{name}: {seen}"


@requirement("R2", "RFC 1812 s. 4.3.2.7")
def test_about_what_no_error_is_sent(stage):
    """Packets that would bring about ICMP errors, but for what they are."""
    a, mac = stage.a, stage.a.line.router_mac
    expired = udp(a, 8003, FAR, 9, ttl=1)
    error = IP(src=a.ip, dst=FAR, ttl=1) / ICMP(type=3, code=3) / Raw(raw(udp(FAR, 9, a, 8003))[:28])
    refused(stage, a, {
        "an ICMP error": error,
        "a later fragment": IP(src=a.ip, dst=FAR, ttl=1, frag=10, proto=17) / Raw(bytes(64)),
        "a link broadcast": raw(Ether(src=a.mac, dst="ff:ff:ff:ff:ff:ff") / expired),
        "a link group": raw(Ether(src=a.mac, dst="01:00:5e:01:02:03") / expired),
        "to a group": raw(Ether(src=a.mac, dst=mac) / udp(a, 8003, "224.5.6.7", 9, ttl=1)),
        "to all": raw(Ether(src=a.mac, dst=mac) / udp(a, 8003, "255.255.255.255", 9, ttl=1)),
        "to the subnet's broadcast": raw(Ether(src=a.mac, dst=mac) / udp(a, 8003, PREFIX + "255", 9, ttl=1)),
        "from a group": udp("224.1.1.1", 8003, FAR, 9, ttl=1),
        "from nobody": udp("0.0.0.0", 8003, FAR, 9, ttl=1),
        "from all": udp("255.255.255.255", 8003, FAR, 9, ttl=1),
        "from loopback": udp("127.0.0.1", 8003, FAR, 9, ttl=1),
        "from the subnet's broadcast": udp(PREFIX + "255", 8003, FAR, 9, ttl=1),
    })
    assert stage.put(a, expired).packets[1], "the packet itself does bring one about"


@requirement("R2", "RFC 1812 s. 4.3.2.3")
def test_how_much_is_quoted(stage):
    """As much as fits 576 bytes, and all of what is shorter."""
    for size in (20, 200, 1400):
        stage.pass_time(2)
        packet = udp(stage.a, 8004, FAR, 9, bytes(number % 251 for number in range(size)), ttl=1)
        got = only(stage.put(stage.a, packet).packets[1])
        quoted = raw(got)[28:got.len]
        assert got.len == min(28 + len(packet), 576)
        assert quoted == raw(packet)[:len(quoted)]


@requirement("R3", "RFC 1812 s. 4.3.2.8")
def test_errors_are_limited(stage):
    """10,000 packets that bring about errors: a host gets some, not many more than 20 a second; and how many all get
    together varies, so that nobody can count another's."""
    stage.pass_time(60)
    start = stage.now()
    frames = [bytes(with_ttl(flood_frame(stage.a, stage.a.ip, 8005, FAR, 9), 1))] * 10_000
    count = len(stage.put(stage.a, *frames).packets[1])
    took = stage.now() - start
    assert 5 <= count <= 24 + 20 * (took + 1), f"{count} in {took:.1f} s"
    rounds = []
    for turn in range(6):
        stage.pass_time(20)
        start = stage.now()
        frames = [bytes(with_ttl(flood_frame(stage.a, f"{PREFIX}{20 + number % 200}", 8006, FAR, 9), 1))
                  for number in range(400)]
        rounds.append(len(stage.put(stage.a, *frames).packets[1]))
        assert 20 <= rounds[-1] <= 100 + 500 * (stage.now() - start + 0.1), rounds
    assert len(set(rounds)) > 1, f"the limit is exact: {rounds}"


def with_ttl(frame, ttl):
    """A frame with another TTL."""
    frame = bytearray(frame)
    csum = int.from_bytes(frame[24:26], "big") + ((frame[22] - ttl) << 8)
    frame[22], frame[24:26] = ttl, ((csum & 0xFFFF) + (csum >> 16)).to_bytes(2, "big")
    return frame


MARTIANS = ("0.0.0.0", "0.1.2.3", "127.0.0.1", "127.9.9.9", "224.0.0.5", "239.1.2.3", "240.0.0.1", "255.255.255.255")


@requirement("R4", "RFC 1812 s. 5.3.7, RFC 2644")
def test_martians_are_never_forwarded(stage):
    """As sources and destinations, from both sides; directed broadcasts; what was a broadcast on its link; our own
    addresses as sources; source routes. Nothing comes of them."""
    mac, a = stage.a.line.router_mac, stage.a
    stage.put(a, udp(a, 8007, FAR, 9))
    by = b"\x07\x04" + bytes([192, 0, 2, 1]) + b"\0"
    route = [raw(Ether(src=a.mac, dst=mac) / IP(src=a.ip, dst=FAR, options=Raw(option)) / UDP(sport=8007, dport=9))
             for option in (b"\x83" + by, b"\x89" + by)]
    refused(stage, a, {f"from {source}": udp(source, 8007, FAR, 9) for source in MARTIANS}
            | {f"to {to}": raw(Ether(src=a.mac, dst=mac) / udp(a, 8007, to, 9)) for to in MARTIANS}
            | {"to the uplink's broadcast": udp(a, 8007, "203.0.113.255", 9),
               "to the uplink's network": udp(a, 8007, "203.0.113.0", 9),
               "from the router": udp(ROUTER, 8007, FAR, 9), "from its outside": udp(UPLINK, 8007, FAR, 9),
               "loose source route": route[0], "strict source route": route[1],
               "link broadcast": raw(Ether(src=a.mac, dst="ff:ff:ff:ff:ff:ff") / udp(a, 8007, FAR, 9))})
    gateway = stage.gateway
    refused(stage, gateway, {f"from {source}": udp(source, 9, UPLINK, 9009) for source in MARTIANS}
            | {f"to {to}": udp(FAR, 9, to, 9009) for to in MARTIANS}
            | {"to the LAN's broadcast": udp(FAR, 9, PREFIX + "255", 9009), "to a host": udp(FAR, 9, a, 8000),
               "from the outside address": udp(UPLINK, 9, UPLINK, 9009),
               "from the uplink's broadcast": udp("203.0.113.255", 9, UPLINK, 9009),
               "link broadcast": raw(Ether(src=gateway.mac, dst="ff:ff:ff:ff:ff:ff") / udp(FAR, 9, UPLINK, 9009))})
    assert stage.put(gateway, udp(FAR, 9, UPLINK, 9009)).packets[1], "from others the forward works"


@requirement("R5", "RFC 2827, RFC 3704")
@requirement("hijack", "spoofed sources")
def test_sources_belong_where_they_come_from(stage):
    """From the LAN only its own prefix; from the uplink neither that nor our own address, also where a flow exists."""
    out = only(stage.put(stage.a, udp(stage.a, 8008, FAR, 9)).outside)
    refused(stage, stage.b, {f"from {source}": udp(source, 8008, FAR, 9) for source in
                             (STRANGER, FAR, GATEWAY, UPLINK, "192.168.9.10")})
    refused(stage, stage.b, {"a LAN host that plays the server": udp(FAR, 9, UPLINK, out.sport),
                             "the same to the host": raw(Ether(src=stage.b.mac, dst=stage.b.line.router_mac) /
                                                         udp(FAR, 9, stage.a, 8008))})
    refused(stage, stage.gateway, {f"from {source}": udp(source, 9, UPLINK, port) for port in (9009, out.sport)
                                   for source in (stage.a.ip, stage.b.ip, ROUTER, PREFIX + "77", UPLINK)})
    assert stage.put(stage.gateway, udp(FAR, 9, UPLINK, out.sport)).packets[1]


def options_of(stage, options, flags="S"):
    """The bytes of a segment's options as seen outside; options are bytes too."""
    bits = TCP(flags=flags).flags.value
    header = struct.pack("!HHIIBBHHH", 8009, 80, 1, 0, (20 + len(options)) // 4 << 4, bits, 9, 0, 0)
    segment = IP(src=stage.a.ip, dst=FAR, proto=6) / Raw(header + options)
    fixed = IP(raw(segment))
    del fixed[TCP].chksum
    seen = stage.put(stage.a, raw(Ether(src=stage.a.mac, dst=stage.a.line.router_mac) /
                                  IP(raw(fixed)[:20]) / _tcp_bytes(segment, header + options)))
    packet = only(seen.outside)
    return raw(packet)[40:20 + (raw(packet)[32] >> 4) * 4]


def _tcp_bytes(packet, data):
    """TCP bytes with the checksum made right."""
    pseudo = raw(packet)[12:20] + struct.pack("!HH", 6, len(data))
    total = sum(struct.unpack(f"!{(len(pseudo) + len(data)) // 2}H", pseudo + data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return Raw(data[:16] + struct.pack("!H", ~total & 0xFFFF) + data[18:])


@requirement("R7", "RFC 6691")
def test_mss_is_clamped():
    """To the uplink's MTU less 40, wherever among the options it stands; smaller ones, other segments, and options that
    lie stay as they are."""
    with Stage(uplink=f"uplink=0,ip={UPLINK}/24,gw={GATEWAY},mtu=1400") as stage:
        stage.put()
        mss, fits = b"\x02\x04\x05\xb4", b"\x02\x04\x05\x50"
        rows = [(mss, fits), (b"\x01\x01\x04\x02" + mss, b"\x01\x01\x04\x02" + fits),
                (b"\x01" + mss + b"\x01\x01\x00", b"\x01" + fits + b"\x01\x01\x00"),
                (b"\x03\x03\x07" + mss + b"\x00", b"\x03\x03\x07" + fits + b"\x00"),
                (b"\x02\x04\x02\x18", b"\x02\x04\x02\x18"), (b"\x02\x04\x05\x50", b"\x02\x04\x05\x50"),
                (b"\x01\x00" + mss + b"\0\0", b"\x01\x00" + mss + b"\0\0"),  # behind the end of the list
                (b"\x08\x28" + mss + b"\0\0", b"\x08\x28" + mss + b"\0\0"),  # inside an option that is too long
                (b"\x08\x00" + mss + b"\0\0", b"\x08\x00" + mss + b"\0\0"),  # behind one of length 0
                (b"\x02\x03\x05\xb4", b"\x02\x03\x05\xb4"), (b"\x01\x01\x01\x02", b"\x01\x01\x01\x02"), (b"", b"")]
        for options, expected in rows:
            assert options_of(stage, options) == expected, options.hex()
        assert options_of(stage, mss, flags="A") == mss


@requirement("R8", "RFC 768")
def test_udp_sums_of_zero(stage):
    """No checksum stays none, both ways; one that translation makes 0 is sent as FFFF."""
    none = udp(stage.a, 8010, FAR, 9)
    none[UDP].chksum = 0
    out = only(stage.put(stage.a, none).outside)
    back = udp(FAR, 9, UPLINK, out.sport)
    back[UDP].chksum = 0
    assert out[UDP].chksum == 0 and only(stage.put(stage.gateway, back).inside)[UDP].chksum == 0
    # The sum of the translated datagram, its payload chosen so that it comes to 0.
    translated = IP(raw(udp(UPLINK, 8011, FAR, 9, b"\0\0")))
    data = struct.pack("!H", translated[UDP].chksum)
    assert IP(raw(udp(UPLINK, 8011, FAR, 9, data)))[UDP].chksum in (0, 0xFFFF)
    packet = only(stage.put(stage.a, udp(stage.a, 8011, FAR, 9, data)).outside)
    assert (packet.sport, packet[UDP].chksum, payload(packet)) == (8011, 0xFFFF, data)


@requirement("R8", "RFC 1624")
def test_sums_of_many(stage):
    """A hundred payloads at random, as datagrams and segments: every checksum is right."""
    rng = random.Random(8)
    for number in range(100):
        data = rng.randbytes(rng.randrange(60))
        segment = TCP(sport=8012, dport=80, flags="A" if number else "S", seq=rng.randrange(1 << 32))
        head = UDP(sport=8012, dport=rng.choice((9, 53))) if number % 2 else segment
        sums_are_right(only(stage.put(stage.a, IP(src=stage.a.ip, dst=FAR, id=rng.randrange(65536)) / head /
                                      Raw(data)).outside))


# ---- the switch ----

@pytest.fixture(scope="module", name="lan")
def fixture_lan():
    """A LAN of three ports, with a small switch table."""
    with Stage("macs=4096", hosts=3) as made:
        yield made
        made.status().check_sum()


def switched(stage, source, to, text, line):
    """Sends a frame of a local EtherType; returns the lines on which it was seen."""
    frame = bytes.fromhex((to + source).replace(":", "")) + b"\x88\xb5" + text.ljust(46, b"\0")
    host = Host(stage.lines[line], None, source)
    return [number for number, frames in enumerate(stage.put(host, frame).frames) if frame in frames]


ROVER, ALL = "02:00:00:00:b3:01", "ff:ff:ff:ff:ff:ff"


@requirement("B2", "802.1D s. 7.7")
def test_where_frames_go(lan):
    """Unknown: everywhere but where it came from, and never outside. Known: there alone. No group is learned."""
    assert switched(lan, lan.lan[0].mac, ROVER, b"unknown", 1) == [2, 3]
    assert switched(lan, ROVER, ALL, b"here I am", 2) == [1, 3]
    assert switched(lan, lan.lan[0].mac, ROVER, b"known", 1) == [2]
    assert switched(lan, "02:00:00:00:b3:02", ROVER, b"its own port", 2) == []
    assert switched(lan, "03:00:00:00:b3:03", ALL, b"from a group", 1) == []


@requirement("B3", "802.1D s. 7.9")
def test_ageing_and_moves(lan):
    """Known 290 s after it was last heard, forgotten some 20 s after 300; a move counts at once; nobody takes the
    router's MAC."""
    mac = "02:00:00:00:b3:04"
    switched(lan, mac, ALL, b"here I am", 2)
    start = lan.now()
    lan.pass_time(290, start)
    assert switched(lan, lan.lan[0].mac, mac, b"known", 1) == [2]
    lan.pass_time(325, start)
    assert switched(lan, lan.lan[0].mac, mac, b"forgotten", 1) == [2, 3]
    switched(lan, mac, ALL, b"here I am", 2)
    switched(lan, mac, ALL, b"now here", 3)
    assert switched(lan, lan.lan[0].mac, mac, b"moved", 1) == [3]
    assert switched(lan, lan.lines[1].router_mac, ALL, b"I am the router", 3) == []
    assert only(lan.put(lan.a, IP(src=lan.a.ip, dst=ROUTER) / ICMP(id=1)).packets[1])[ICMP].type == 0


@requirement("B4", "802.1D s. 6.3")
def test_order_and_number(lan):
    """20,000 numbered frames between two ports: each once, in order."""
    switched(lan, lan.lan[1].mac, ALL, b"here I am", 2)
    head = bytes.fromhex((lan.lan[1].mac + lan.a.mac).replace(":", "")) + b"\x88\xb5"
    frames = [(head + number.to_bytes(4, "big")).ljust(60, b"\0") for number in range(20_000)]
    seen = lan.put(lan.a, *frames)
    assert [frame for frame in seen.frames[2] if frame[12:14] == b"\x88\xb5"] == frames
    assert not [frame for frame in seen.frames[3] if frame[12:14] == b"\x88\xb5"]


@requirement("B5", "802.1D s. 7.9")
@requirement("macs", "MAC flood")
def test_mac_flood(lan):
    """20,000 sources on one port, in a table of 4,096: who was known before is known after."""
    for host in lan.lan:
        switched(lan, host.mac, ALL, b"here I am", host.line.number)
    head = bytes.fromhex(lan.lan[0].mac.replace(":", ""))
    frames = [(head + b"\x06\0" + number.to_bytes(4, "big") + b"\x88\xb5").ljust(60, b"\0") for number in range(20_000)]
    lan.put(lan.lan[2], *frames)
    assert switched(lan, lan.lan[0].mac, lan.lan[1].mac, b"to two", 1) == [2]
    assert switched(lan, lan.lan[1].mac, lan.lan[0].mac, b"to one", 2) == [1]
    text = lan.status().text
    assert "switch learned" in text and int(text.split("switch learned ")[1].split()[0]) <= 8192, text


@requirement("macs", "ARP spoof")
def test_nobody_takes_the_routers_address(lan):
    """ARP that says the router's address is somebody else's, or another host's: the router keeps its own."""
    evil = lan.lan[2]
    for op, to in ((1, ALL), (2, ALL), (2, lan.a.line.router_mac)):
        lan.put(evil, raw(Ether(src=evil.mac, dst=to) / ARP(op=op, hwsrc=evil.mac, psrc=ROUTER, pdst=ROUTER)))
    with lan.running():
        lan.ask_mac(lan.a, ROUTER)
    assert lan.a.line.router_mac == lan.lan[1].line.router_mac != evil.mac
    assert lan.put(lan.a, udp(lan.a, 8020, FAR, 9)).outside
