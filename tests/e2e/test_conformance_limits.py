# SPDX-License-Identifier: BSD-3-Clause
"""Limits and threats, in virtual time: RFC 6888's rules for what hosts share, port shadow, forged DNS answers,
blind attacks, cloned machines. The drawing is lab/wires.py's."""

import os

import pytest
from scapy.all import DNS, DNSQR, DNSRR, ICMP, IP, TCP, UDP

from lab.requirements import requirement
from lab.wires import FAR, FARTHER, GATEWAY, ROUTER, UPLINK, Stage, flood_frame, only, udp

SERVER = "203.0.113.53"  # the outside's DNS server


def opened(stage, host, count, flags=None):
    """How many of so many new flows of a host are seen outside."""
    frames = [flood_frame(host, host.ip, 20000 + number, FAR, 80, flags) for number in range(count)]
    return len({packet.sport for packet in stage.put(host, *frames).outside})


@requirement("C4", "RFC 6888 REQ-4")
@requirement("C5", "RFC 6888 REQ-5")
@requirement("exhaustion", "SYN and UDP floods")
@pytest.mark.parametrize("flags", [None, 0x02], ids=["UDP", "SYN"])
def test_a_host_that_floods_does_not_keep_others_out(flags):
    """a opens 6,000 flows where there is room for 4,096; then b opens 1,000, and all 1,000 come about."""
    with Stage("flows=4096") as stage:
        stage.put(stage.a, udp(stage.a, 1999, FAR, 9))
        assert opened(stage, stage.a, 6000, flags) >= 100
        assert opened(stage, stage.b, 1000, flags) == 1000


@requirement("C8", "RFC 6888 REQ-8")
def test_a_freed_port_rests():
    """The outside port of a's mapping, which has expired, is no other host's within the next 120 s."""
    with Stage() as stage:
        port = only(stage.put(stage.a, udp(stage.a, 4444, FAR, 9)).outside).sport
        start = stage.now()
        stage.pass_time(121, start)
        assert not stage.put(stage.gateway, udp(FAR, 9, UPLINK, port)).inside, "the mapping lives still"
        for moment in (122, 180, 235):
            stage.pass_time(moment, start)
            host = stage.another(stage.b, f"192.168.8.{moment}")
            taken = only(stage.put(host, udp(host, 4444, FAR, 9)).outside).sport
            assert taken != port, f"given away {moment - 120} s after it was freed"


@requirement("U3", "RFC 4787 REQ-3")
@requirement("T7", "RFC 5382 REQ-7")
@requirement("C11", "RFC 6888 REQ-11")
def test_all_ports_taken_and_none_twice():
    """All ports but 5,535 belong to a forward. 200 hosts open 27 flows each: no port is two hosts' or the forward's. 200
    flows more, which is more than there are ports: still none is the forward's, and the first mapping, which has been
    answered, is as it was. (Who is refused is told so: test_conformance_icmp.py.)"""
    with Stage("fwd=udp:1024-60000:192.168.8.10:1024") as stage:
        first = only(stage.put(stage.b, udp(stage.b, 61000, FAR, 9)).outside).sport
        assert stage.put(stage.gateway, udp(FAR, 9, UPLINK, first)).packets[2]
        frames = [flood_frame(stage.b, f"192.168.8.{20 + number % 200}", 1024 + number // 200, FAR, 80)
                  for number in range(5_600)]
        ports = [packet.sport for packet in stage.put(stage.b, *frames[:5_400]).outside]
        assert len(ports) == len(set(ports)) == 5_400
        ports += [packet.sport for packet in stage.put(stage.b, *frames[5_400:]).outside]
        assert 5_500 <= len(set(ports)) <= 5535 - 1 and first not in ports and min(ports) > 60000
        assert "tx-full" not in stage.status().drops
        assert stage.put(stage.gateway, udp(FARTHER, 7, UPLINK, first)).packets[2], "the first mapping is gone"


@requirement("shadow", "port shadow, CVE-2021-3773")
def test_ports_of_the_router_and_of_forwards_are_nobodys():
    """Hosts that use the source port of the router's DHCP client, or those of forwards, get others outside, and what
    comes to the forwards goes where it always went."""
    forwards = "fwd=udp:9000:192.168.8.11:9000 fwd=tcp:9001-9003:192.168.8.11:9001"
    with Stage(forwards, uplink="uplink=0,dhcp") as stage:
        stage.lease(UPLINK, GATEWAY)
        stage.put()
        for host in (stage.a, stage.another(stage.a, "192.168.8.20")):
            for port in (68, 9000):
                assert only(stage.put(host, udp(host, port, FAR, 9)).outside).sport not in (68, 9000)
            for port in (9001, 9002, 9003):
                packet = only(stage.put(host, flood_frame(host, host.ip, port, FAR, 80, 0x02)).outside)
                assert packet.sport not in range(9001, 9004)
        assert only(stage.put(stage.gateway, udp(FAR, 9, UPLINK, 9000)).packets[2]).dport == 9000


@pytest.fixture(scope="module", name="resolver")
def fixture_resolver():
    """A router that knows a DNS server outside."""
    with Stage(uplink=f"uplink=0,ip={UPLINK}/24,gw={GATEWAY},dns={SERVER}") as made:
        yield made


def asks(stage, name, ident):
    """A host asks the router for a name; returns the router's own question outside."""
    question = IP(src=stage.a.ip, dst=ROUTER) / UDP(sport=40000 + ident, dport=53) / \
        DNS(id=ident, rd=1, qd=DNSQR(qname=name))
    return only([packet for packet in stage.put(stage.a, question).outside if packet[UDP].dport == 53])


def reply_to(query, address="192.0.2.1", source=SERVER, **changes):
    """An answer to the router's question, with things changed."""
    fields = {"id": query[DNS].id, "dport": query[UDP].sport, "name": query[DNS].qd.qname, **changes}
    name = fields["name"]
    return IP(src=source, dst=UPLINK) / UDP(sport=fields.get("sport", 53), dport=fields["dport"]) / \
        DNS(id=fields["id"], qr=1, ra=1, qd=DNSQR(qname=name), an=DNSRR(rrname=name, ttl=60, rdata=address))


@requirement("dns", "DNS poisoning, RFC 5452")
def test_forged_answers_are_not_taken(resolver):
    """Wrong identifiers, ports, sources, names, 500 of them: none is handed on; the right one is, after all those."""
    query = asks(resolver, "victim.example", 1)
    forged = [reply_to(query, "192.0.2.66", id=(query[DNS].id + 1 + number) & 0xFFFF) for number in range(300)]
    forged += [reply_to(query, "192.0.2.66", dport=(query[UDP].sport + 1 + number) & 0xFFFF) for number in range(100)]
    forged += [reply_to(query, "192.0.2.66", source=f"203.0.113.{60 + number}") for number in range(50)]
    forged += [reply_to(query, "192.0.2.66", sport=54 + number) for number in range(25)]
    forged += [reply_to(query, "192.0.2.66", name=f"other{number}.example") for number in range(25)]
    seen = resolver.put(resolver.gateway, *forged)
    assert not [packet for packet in seen.inside if UDP in packet], seen
    assert not [packet for packet in seen.outside if ICMP in packet], "closed ports tell where the open one is"
    got = only(resolver.put(resolver.gateway, reply_to(query)).packets[1])
    assert got[DNS].id == 1 and got[DNS].an.rdata == "192.0.2.1"


@requirement("dns", "DNS poisoning, RFC 5452")
def test_questions_are_unpredictable(resolver):
    """60 questions: ports and identifiers are spread, and none follows from the last."""
    queries = []
    for number in range(60):
        queries.append(asks(resolver, f"name{number}.example", 100 + number))
        resolver.put(resolver.gateway, reply_to(queries[-1]))
    for values in ([query[UDP].sport for query in queries], [query[DNS].id for query in queries]):
        steps = {(later - earlier) & 0xFFFF for earlier, later in zip(values, values[1:])}
        assert len(set(values)) >= 58 and len(steps) >= 58 and max(values) - min(values) > 40000


@requirement("blind", "RFC 5961")
def test_no_port_of_the_router_is_open_outside():
    """SYN and UDP to every 17th port, and to those of its services: not one answer, neither RST nor SYN-ACK nor ICMP."""
    with Stage() as stage:
        for flags in (0x02, None):
            host, ports = stage.gateway, (53, 67, 5351, *range(1, 65536, 17))
            seen = stage.put(host, *(flood_frame(host, FAR, 1234, UPLINK, port, flags) for port in ports))
            assert not [frame for frame in seen.frames[0] if frame[12:14] == b"\x08\x00"]
            assert not seen.inside
        assert len(only(stage.put(host, IP(src=FAR, dst=UPLINK) / ICMP(id=3)).outside)) >= 28


def taken_at_random(stage):
    """Outside ports that the router chooses: ten hosts want one that is taken."""
    frames = [flood_frame(stage.a, f"192.168.8.{30 + number}", 4567, FAR, 80, 0x02) for number in range(11)]
    return [packet[TCP].sport for packet in stage.put(stage.a, *frames).outside][1:]


@requirement("cloned", "weak randomness")
def test_two_boots_choose_differently():
    """The same machine, the same configuration, the same instructions: other ports."""
    chosen = []
    for _ in range(2):
        with Stage() as stage:
            chosen.append(taken_at_random(stage))
    assert len(chosen[0]) == len(chosen[1]) >= 9 and chosen[0] != chosen[1]


COPIED = "this machine is a copy of another"


@requirement("cloned", "cloned VM")
def test_two_copies_choose_differently(tmp_path):
    """One machine, saved while it runs and started twice from there: other ports, other DNS identifiers. What it had
    done before, both know."""
    saved = os.path.join(tmp_path, "saved")
    uplink, guid = f"uplink=0,ip={UPLINK}/24,gw={GATEWAY},dns={SERVER}", "11111111-2222-3333-4444-55555555555"
    with Stage(uplink=uplink, guid=guid + "5") as stage:
        mapped = only(stage.put(stage.b, udp(stage.b, 61000, FAR, 9)).outside).sport
        stage.router.qmp("migrate", uri=f"exec:cat >{saved}")
        stage.wait(lambda: stage.router.qmp("query-migrate").get("status") == "completed", "the machine is saved")
        assert COPIED not in stage.router.console
    chosen = []
    for last_digit in ("6", "7"):
        with Stage(uplink=uplink, guid=guid + last_digit, incoming=f"exec:cat {saved}") as stage:
            queries = [asks(stage, f"copy{number}.example", number) for number in range(3)]
            chosen.append((taken_at_random(stage), [query[DNS].id for query in queries]))
            assert only(stage.put(stage.gateway, udp(FAR, 9, UPLINK, mapped)).packets[2]).dport == 61000
            assert stage.router.console.count(COPIED) == 1
    assert len(chosen[0][0]) == len(chosen[1][0]) >= 9
    assert all(one != other for one, other in zip(*chosen))
