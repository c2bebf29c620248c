# SPDX-License-Identifier: BSD-3-Clause
"""Hosts that ask for ports: NAT-PMP (RFC 6886) by natpmpc, and by hand with PCP (RFC 6887) in virtual time.

    [a] 192.168.8.10 ---- port 1 [        ] lan: pcp
    [b] 192.168.8.11 ---- port 2 [ router ] dark: not     port 0 203.0.113.2 ---- 203.0.113.1 [gateway] everybody
"""

import re
import struct

import pytest
from scapy.all import ICMP, IP, TCP, UDP

from lab.home import ROUTER as HOME_ROUTER
from lab.home import Home
from lab.hosts import need_programs
from lab.requirements import requirement
from lab.talk import talks
from lab.wires import FAR, FARTHER, ROUTER, UPLINK, Stage, only, payload, sums_are_right, udp

PORT = 5351
NATPMP_UDP, NATPMP_TCP = 1, 2
ANNOUNCE, MAP, PEER = 0, 1, 2
SUCCESS, UNSUPP_VERSION, NOT_AUTHORIZED, MALFORMED_REQUEST, UNSUPP_OPTION, ADDRESS_MISMATCH = 0, 1, 2, 3, 5, 12
THIRD_PARTY = struct.pack("!BxH", 1, 16)
TWO = ("net=lan,nat,ip=192.168.8.1/24,ports=1,pcp net=dark,nat,ip=192.168.8.1/24,ports=2"
       " host=52:54:00:aa:00:01,192.168.8.10,one,net=lan fwd=udp:4000:one:4000")


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router for most: a may ask, b, in a network with the same addresses, may not."""
    with Stage(TWO) as made:
        yield made
        made.status().check_sum()


# ---- what is asked ----

def natpmp_map(inside, outside, lifetime, opcode=NATPMP_UDP):
    """A request for a port."""
    return struct.pack("!BBHHHI", 0, opcode, 0, inside, outside, lifetime)


def mapped_ip(address):
    """An IPv4 address in 16 bytes."""
    return bytes(10) + b"\xff\xff" + bytes(int(part) for part in address.split("."))


def pcp(opcode, client, lifetime, data=b""):
    """A request in PCP."""
    return struct.pack("!BBHI", 2, opcode, 0, lifetime) + mapped_ip(client) + data


def pcp_map(client, inside, outside, lifetime, nonce=b"a", protocol=17):
    """A request for a port, open to all."""
    return pcp(MAP, client, lifetime, nonce * 12 + struct.pack("!B3xHH", protocol, inside, outside) + mapped_ip("0.0.0.0"))


def pcp_peer(client, inside, peer, peer_port, lifetime, nonce=b"a"):
    """A request to keep a port towards one end."""
    data = nonce * 12 + struct.pack("!B3xHH", 17, inside, 0) + mapped_ip("0.0.0.0")
    return pcp(PEER, client, lifetime, data + struct.pack("!HH", peer_port, 0) + mapped_ip(peer))


def ask(stage, host, request, sport=40000):
    """What the router answers, or None: nothing comes to anybody, or only an ICMP error."""
    seen = stage.put(host, udp(host, sport, ROUTER, PORT, request))
    assert not seen.outside, seen
    if not seen or ICMP in seen.inside[0]:
        return None
    packet = only(seen.inside)
    assert (packet.src, packet.sport, packet.dst, packet.dport) == (ROUTER, PORT, host.ip, sport)
    sums_are_right(packet)
    return payload(packet)


def natpmp(stage, host, *request):
    """(result, outside port, lifetime) of a request for a port in NAT-PMP."""
    answer = ask(stage, host, natpmp_map(*request))
    return struct.unpack("!2xH6xHI", answer)


def granted(answer):
    """(result, lifetime, outside port) of an answer in PCP."""
    assert answer[0] == 2 and answer[1] & 0x80
    return answer[3], struct.unpack_from("!I", answer, 4)[0], struct.unpack_from("!H", answer, 42)[0]


def heard(stage, host, inside, outside, source=FAR):
    """Whether the host hears what is sent to an outside port; if so it is as it should be."""
    seen = stage.put(stage.gateway, udp(source, 9, UPLINK, outside))
    if not seen:
        return False
    packet = only(seen.packets[host.line.number])
    assert (packet.src, packet.dst, packet.dport, payload(packet)) == (source, host.ip, inside, b"payload")
    sums_are_right(packet)
    return True


# ---- P1 ----

@requirement("P1", "RFC 6886 s. 3")
def test_silence_outside(stage):
    """On the uplink nobody answers, in either protocol, whatever address is asked."""
    for request in (b"\0\0", natpmp_map(80, 80, 3600), pcp(ANNOUNCE, FAR, 0), pcp_map(FAR, 80, 80, 3600)):
        for address in (UPLINK, ROUTER, "224.0.0.1"):
            seen = stage.put(stage.gateway, udp(FAR, 40000, address, PORT, request))
            assert not seen, seen


@requirement("P1", "RFC 6886 s. 3")
def test_only_where_it_is_switched_on(stage):
    """In a network without pcp the port is as closed as any other."""
    for request in (b"\0\0", natpmp_map(80, 80, 3600), pcp_map(stage.b.ip, 80, 80, 3600)):
        seen = stage.put(stage.b, udp(stage.b, 40000, ROUTER, PORT, request))
        assert [packet for packet in seen.inside if UDP in packet and packet[UDP].sport == PORT] == []


@requirement("P1", "RFC 6886 s. 3.5, RFC 6887 s. 9")
@pytest.mark.parametrize("version", [1, 3, 255])
def test_unknown_version(stage, version):
    """The answer is in the version there is."""
    request = bytes([version]) + pcp_map(stage.a.ip, 80, 80, 3600)[1:]
    answer = ask(stage, stage.a, request)
    assert answer[:4] == bytes([2, MAP | 0x80, 0, UNSUPP_VERSION])


@requirement("P1", "RFC 6886 s. 3.6, RFC 6887 s. 8.5")
def test_epoch(stage):
    """It goes with time, and is one and the same in both protocols."""
    address = ask(stage, stage.a, b"\0\0")
    first = struct.unpack("!BBHI4s", address)
    assert first[:3] == (0, 128, 0) and first[4] == bytes([203, 0, 113, 2])
    start = stage.now()
    stage.pass_time(100, start)
    answer = ask(stage, stage.a, pcp(ANNOUNCE, stage.a.ip, 0))
    assert answer[:8] == bytes([2, 128, 0, 0, 0, 0, 0, 0])
    assert 99 <= struct.unpack_from("!I", answer, 8)[0] - first[3] <= 102


@requirement("P1", "RFC 6886 s. 3.2.1, RFC 6887 s. 14.1")
def test_announcements():
    """Where it is switched on, hosts hear of the address without asking; ten times, ever more rarely."""
    with Stage(TWO) as stage:
        stage.pass_time(200)
        groups = [[frame for frame in line.frames if frame[:6] == bytes.fromhex("01005e000001")] for line in stage.lines]
        assert not groups[0] and not groups[2]
        natpmp_epochs = [struct.unpack_from("!I", frame, 46)[0] for frame in groups[1] if frame[42] == 0]
        assert all(frame[50:54] == bytes([203, 0, 113, 2]) for frame in groups[1] if frame[42] == 0)
        assert 4 <= len(natpmp_epochs) <= 10, natpmp_epochs
        assert natpmp_epochs[-4:] == [15, 31, 63, 127]
        assert len([frame for frame in groups[1] if frame[42] == 2]) == len(natpmp_epochs)


# ---- P2 ----

@requirement("P2", "RFC 6886 s. 3.3, RFC 6887 s. 11.3")
def test_lifetime(stage):
    """A port without any flow is open to anybody until its lifetime ends, and no longer; that is 120 s at least."""
    assert not heard(stage, stage.a, 5000, 6000)
    start = stage.now()
    assert natpmp(stage, stage.a, 5000, 6000, 1) == (SUCCESS, 6000, 120)
    stage.pass_time(118, start)
    assert heard(stage, stage.a, 5000, 6000)
    stage.pass_time(125, start)
    assert not heard(stage, stage.a, 5000, 6000, FARTHER)


@requirement("P2", "RFC 6886 s. 3.3, RFC 6887 s. 11.3")
def test_lifetime_bounds(stage):
    """Not longer than a day; and 0 deletes."""
    assert natpmp(stage, stage.a, 5001, 6001, 86401) == (SUCCESS, 6001, 86400)
    assert granted(ask(stage, stage.a, pcp_map(stage.a.ip, 5002, 6002, 0xFFFFFFFF))) == (SUCCESS, 86400, 6002)
    assert heard(stage, stage.a, 5001, 6001) and heard(stage, stage.a, 5002, 6002)
    assert natpmp(stage, stage.a, 5001, 0, 0) == (SUCCESS, 0, 0)
    assert granted(ask(stage, stage.a, pcp_map(stage.a.ip, 5002, 0, 0)))[:2] == (SUCCESS, 0)
    assert not heard(stage, stage.a, 5001, 6001, FARTHER) and not heard(stage, stage.a, 5002, 6002, FARTHER)


@requirement("P2", "RFC 6887 s. 8.3 and 13.1")
def test_only_for_oneself(stage):
    """Another address in the header or in an option is refused, and opens nothing."""
    other = stage.another(stage.a, "192.168.8.77")
    assert ask(stage, stage.a, pcp_map(other.ip, 5003, 6003, 3600))[3] == ADDRESS_MISMATCH
    for address in (other.ip, stage.a.ip):
        request = pcp_map(stage.a.ip, 5003, 6003, 3600) + THIRD_PARTY + mapped_ip(address)
        assert ask(stage, stage.a, request)[3] == UNSUPP_OPTION
    assert not stage.put(stage.gateway, udp(FAR, 9, UPLINK, 6003))


@requirement("P2", "CVE-2021-3773")
def test_never_a_port_of_others(stage):
    """Not a forward's, not one that another host has; a low one only for a low one."""
    result, outside, _ = natpmp(stage, stage.a, 5004, 4000, 3600)
    assert result == SUCCESS and outside != 4000
    other = stage.another(stage.a, "192.168.8.78")
    assert natpmp(stage, stage.a, 5005, 6005, 3600) == (SUCCESS, 6005, 3600)
    result, outside, _ = natpmp(stage, other, 5005, 6005, 3600)
    assert result == SUCCESS and outside != 6005
    assert natpmp(stage, stage.a, 5006, 443, 3600) == (SUCCESS, 5006, 3600)
    assert natpmp(stage, stage.a, 444, 443, 3600) == (SUCCESS, 443, 3600)
    # A host of the other network cannot get it by sending from it either.
    packet = only(stage.put(stage.b, udp(stage.b, 6005, FAR, 9)).outside)
    assert packet.sport != 6005


# ---- P3 ----

@requirement("P3", "RFC 6887 s. 11.3")
def test_nonce(stage):
    """Who does not know the nonce changes nothing, and learns how long it lasts."""
    assert granted(ask(stage, stage.a, pcp_map(stage.a.ip, 5010, 6010, 600, b"x"))) == (SUCCESS, 600, 6010)
    for lifetime in (0, 120, 3600):
        result, left, _ = granted(ask(stage, stage.a, pcp_map(stage.a.ip, 5010, 6010, lifetime, b"y")))
        assert result == NOT_AUTHORIZED and 590 <= left <= 600
        assert natpmp(stage, stage.a, 5010, 6010, lifetime)[0] == 2
    assert heard(stage, stage.a, 5010, 6010)
    assert granted(ask(stage, stage.a, pcp_map(stage.a.ip, 5010, 6010, 3600, b"x"))) == (SUCCESS, 3600, 6010)
    assert granted(ask(stage, stage.a, pcp_map(stage.a.ip, 5010, 6010, 0, b"x")))[0] == SUCCESS
    assert not heard(stage, stage.a, 5010, 6010, FARTHER)


@requirement("P3", "RFC 6887 s. 7 and 8.3")
def test_length(stage):
    """Whole words, a header at least, 1,100 bytes at most."""
    request = pcp_map(stage.a.ip, 5011, 6011, 600)
    padding = bytes([0x80, 0, 0, 0])  # an option that may be ignored
    for wrong in (request[:2], request[:20], request[:56], request + b"\0", request + b"\0\0", request + padding * 261):
        answer = ask(stage, stage.a, wrong)
        assert answer[3] == MALFORMED_REQUEST and len(answer) % 4 == 0 and len(answer) <= 1100
    assert not heard(stage, stage.a, 5011, 6011)
    assert granted(ask(stage, stage.a, request + padding * 260)) == (SUCCESS, 600, 6011)


@requirement("P3", "RFC 6887 s. 12.3")
def test_peer(stage):
    """PEER tells a flow's outside port, and keeps it longer than the flow would."""
    sent = only(stage.put(stage.a, udp(stage.a, 5020, FAR, 9)).outside)
    answer = ask(stage, stage.a, pcp_peer(stage.a.ip, 5020, FAR, 9, 3600))
    assert granted(answer) == (SUCCESS, 3600, sent.sport)
    stage.pass_time(1000)
    assert heard(stage, stage.a, 5020, sent.sport)
    assert only(stage.put(stage.a, udp(stage.a, 5020, FARTHER, 9)).outside).sport == sent.sport


# ---- what then comes in ----

def test_tcp_and_hairpin(stage):
    """A connection from outside is answered by the outside port; and so is one from the host beside."""
    answer = ask(stage, stage.a, natpmp_map(80, 8080, 3600, NATPMP_TCP))
    assert struct.unpack("!2xH6xHI", answer) == (SUCCESS, 8080, 3600)
    seen = stage.put(stage.gateway, IP(src=FAR, dst=UPLINK) / TCP(sport=999, dport=8080, flags="S"))
    assert only(seen.packets[1])[TCP].dport == 80
    reply = stage.put(stage.a, IP(src=stage.a.ip, dst=FAR) / TCP(sport=80, dport=999, flags="SA", ack=1))
    assert only(reply.outside)[TCP].sport == 8080
    other = stage.another(stage.a, "192.168.8.79")
    seen = stage.put(other, IP(src=other.ip, dst=UPLINK) / TCP(sport=998, dport=8080, flags="S"))
    assert (only(seen.packets[1]).src, only(seen.packets[1])[TCP].dport) == (UPLINK, 80)


def test_a_rule_wins():
    """A port that was granted lets in what rules let in."""
    with Stage("net=lan,nat,pcp rule=deny,from=198.51.100.77,to=lan"
               " rule=deny,from=192.168.8.11,to=router,proto=udp,port=5351") as stage:
        assert ask(stage, stage.b, natpmp_map(5000, 6000, 600)) is None
        assert natpmp(stage, stage.a, 5000, 6000, 600) == (SUCCESS, 6000, 600)
        assert not heard(stage, stage.a, 5000, 6000, FARTHER)
        assert heard(stage, stage.a, 5000, 6000, FAR)
        assert stage.status().drops.get("policy", 0) + stage.status().drops.get("unsolicited", 0) > 0


def test_one_host_cannot_take_all(stage):
    """A limit of ports, and of requests, each without cost to another host."""
    one, other = stage.another(stage.a, "192.168.8.90"), stage.another(stage.a, "192.168.8.91")
    seen = stage.put(one, *(udp(one, 40000, ROUTER, PORT, natpmp_map(2000 + number, 0, 120)) for number in range(80)))
    results = [struct.unpack_from("!2xH", payload(packet))[0] for packet in seen.inside]
    assert results.count(SUCCESS) == 64 and results.count(4) == 16, results
    seen = stage.put(one, *(udp(one, 40000, ROUTER, PORT, b"\0\0") for _ in range(200)))
    assert len(seen.inside) < 150
    assert natpmp(stage, other, 2000, 0, 120)[0] == SUCCESS


# ---- a real client ----

@requirement("P1", "RFC 6886")
def test_natpmpc():
    """natpmpc learns the address, opens a port, through which a server is reached, and closes it."""
    need_programs("natpmpc")
    with Home(hosts=1, config="net=lan,nat,pcp") as home:
        host, address = home.hosts[0], home.outside.router_address()
        out = host.run("natpmpc", "-g", HOME_ROUTER).stdout
        assert f"Public IP address : {address}" in out, out
        out = host.run("natpmpc", "-g", HOME_ROUTER, "-a", 8080, 8080, "tcp", 600).stdout
        assert re.search(r"Mapped public port 8080 protocol TCP to local port 8080 lif?e?time 600", out), out
        assert talks(home.outside.host, host, address, 8080)
        assert "tcp outside 8080 for " in home.router.status().text
        host.run("natpmpc", "-g", HOME_ROUTER, "-a", 8080, 8080, "tcp", 0)
        assert "tcp outside 8080 for " not in home.router.status().text
