# SPDX-License-Identifier: BSD-3-Clause
"""Protocols other than TCP, UDP and ICMP through NAT, in virtual time. The drawing is lab/wires.py's."""

import pytest
from scapy.all import ICMP, IP, IPerror, Raw, fragment, raw

from lab.requirements import requirement
from lab.wires import FAR, FARTHER, UPLINK, Stage, only, sums_are_right

GRE, ESP, AH, SCTP = 47, 50, 51, 132
PAYLOAD = bytes(range(64))  # whose first bytes would be ports


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router for all."""
    with Stage() as made:
        yield made
        made.status().check_sum()


def packet(source, to, proto, data=PAYLOAD, **fields):
    """A packet of the protocol."""
    return IP(src=source, dst=to, proto=proto, **fields) / Raw(data)


def body(seen):
    """What a packet carries."""
    return raw(seen)[20:seen.len]


def goes_out(stage, host, proto, to=FAR):
    """The host's packet is seen outside with the outside address and is otherwise untouched."""
    seen = only(stage.put(host, packet(host.ip, to, proto)).outside)
    assert (seen.src, seen.dst, seen.proto, body(seen)) == (UPLINK, to, proto, PAYLOAD)
    sums_are_right(seen)
    return seen


def heard(stage, host, proto, source=FAR):
    """Whether the host, and nobody else, hears one from outside, untouched."""
    seen = stage.put(stage.gateway, packet(source, UPLINK, proto))
    assert not seen.outside
    if not seen.inside:
        return False
    got = only(seen.inside)
    assert got in seen.packets[host.line.number]
    assert (got.src, got.dst, got.proto, body(got)) == (source, host.ip, proto, PAYLOAD)
    sums_are_right(got)
    return True


def refusal(stage, host, proto, code, to=FAR):
    """The host is told by an ICMP error of this code about its packet, and nothing is seen outside."""
    seen = stage.put(host, packet(host.ip, to, proto))
    got = only(seen.packets[host.line.number])
    assert not seen.outside and len(seen.inside) == 1
    assert (got[ICMP].type, got[ICMP].code) == (3, code)
    assert (got[IPerror].src, got[IPerror].dst, got[IPerror].proto) == (host.ip, to, proto)
    sums_are_right(got)


@requirement("O1", "RFC 2784, RFC 4303")
@pytest.mark.parametrize("proto", [GRE, ESP])
def test_one_host_a_peer(stage, proto):
    """Out and back, to the bit; another host to the same peer is refused and told so, to another peer it is not."""
    assert not heard(stage, stage.a, proto), "nobody has called"
    goes_out(stage, stage.a, proto)
    assert heard(stage, stage.a, proto)
    refusal(stage, stage.b, proto, 13)
    assert not heard(stage, stage.a, proto, FARTHER)
    goes_out(stage, stage.b, proto, FARTHER)
    assert heard(stage, stage.b, proto, FARTHER) and heard(stage, stage.a, proto)
    assert stage.status().drops["peer-taken"] >= 1


@requirement("O1", "RFC 2784, RFC 4303")
def test_how_long(stage):
    """299 s after the host's last packet its peer is heard, long after not, and is another host's to call."""
    goes_out(stage, stage.a, GRE, "198.51.100.30")
    assert heard(stage, stage.a, GRE, "198.51.100.30")
    start = stage.now()
    stage.pass_time(295, start)
    assert heard(stage, stage.a, GRE, "198.51.100.30")
    stage.pass_time(310, start)
    assert not heard(stage, stage.a, GRE, "198.51.100.30")
    goes_out(stage, stage.b, GRE, "198.51.100.30")


@requirement("O1", "RFC 2784, RFC 4303")
def test_fragments(stage):
    """In any order, both ways."""
    peer = "198.51.100.31"
    goes_out(stage, stage.a, GRE, peer)
    data = bytes(number % 251 for number in range(4000))
    for host, source, to in ((stage.a, stage.a.ip, peer), (stage.gateway, peer, UPLINK)):
        for ident, order in enumerate(((0, 1, 2), (2, 1, 0), (1, 0, 2)), 50):
            pieces = [IP(raw(piece)) for piece in fragment(packet(source, to, GRE, data, id=ident), 1400)]
            seen = stage.put(host, *(pieces[at] for at in order))
            got = sorted(seen.outside if host is stage.a else seen.packets[1], key=lambda piece: piece.frag)
            assert b"".join(body(piece) for piece in got) == data, f"{source}, {order}: {seen}"
            assert len({(piece.id, piece.src, piece.dst) for piece in got}) == 1


@requirement("O1", "RFC 2784, RFC 4303")
@requirement("I4", "RFC 5508 REQ-4")
@requirement("I5", "RFC 5508 REQ-5")
def test_errors_about_them(stage):
    """From outside and from inside: the addresses quoted are those that the sender wrote, and nothing else changes."""
    peer = "198.51.100.32"
    sent = goes_out(stage, stage.a, ESP, peer)
    error = IP(src=FARTHER, dst=UPLINK) / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(raw(sent)[:48])
    got = only(stage.put(stage.gateway, error).packets[1])
    assert (got.src, got.dst, got[ICMP].type, got[ICMP].nexthopmtu) == (FARTHER, stage.a.ip, 3, 1400)
    assert (got[IPerror].src, got[IPerror].dst, raw(got)[48:76]) == (stage.a.ip, peer, PAYLOAD[:28])
    sums_are_right(got)
    came = only(stage.put(stage.gateway, packet(peer, UPLINK, ESP)).packets[1])
    error = IP(src=stage.a.ip, dst=peer) / ICMP(type=3, code=2) / Raw(raw(came)[:48])
    got = only(stage.put(stage.a, error).outside)
    assert (got.src, got.dst, got[IPerror].src, got[IPerror].dst) == (UPLINK, peer, peer, UPLINK)
    assert raw(got)[48:76] == PAYLOAD[:28]
    sums_are_right(got)


@requirement("O2", "RFC 1812 s. 5.2.7.1")
@pytest.mark.parametrize("proto", [AH, SCTP, 2, 4, 89, 255])
def test_others_are_refused(stage, proto):
    """Protocol unreachable to the host; from outside nothing gets in or is answered, from a peer that it has other
    conversations with neither."""
    stage.pass_time(2)
    goes_out(stage, stage.a, GRE)
    refusal(stage, stage.a, proto, 2)
    assert not stage.put(stage.gateway, packet(FAR, UPLINK, proto))
    # To the outside address they are the router's, which speaks none of them.
    refusal(stage, stage.a, proto, 2, UPLINK)
    refusal(stage, stage.a, GRE, 2, UPLINK)
