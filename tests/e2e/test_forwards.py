# SPDX-License-Identifier: BSD-3-Clause
"""Forwards: two hosts that both serve on port 5000, published as ports 6000 and 6001 of one address; and the rest of
what fwd= and dmz= promise. In frames, where every byte is looked at, and with curl.

    [a] 192.168.8.10:5000 ---- port 1 [        ]          6000 -> a:5000   6001 -> b:5000
    [b] 192.168.8.11:5000 ---- port 2 [ router ] port 0 203.0.113.2 ---- 203.0.113.1 [gateway] everybody outside
"""

import contextlib
import os
import re
import sys

import pytest
from scapy.all import IP, TCP, UDP, Raw, raw

from lab import outside as lab_outside
from lab.home import Home, host_mac
from lab.outside import GATEWAY, SERVER
from lab.requirements import requirement
from lab.talk import connect
from lab.wires import FAR, FARTHER, UPLINK, Stage, only, sums_are_right, udp

PORTS = {"a": 6000, "b": 6001}  # outside, of the servers' port
SERVICE = 5000
SILENT = "192.168.8.99"
FORWARDS = ("fwd=both:6000:192.168.8.10:5000 fwd=both:6001:192.168.8.11:5000"
            f" fwd=tcp:6002:192.168.8.10:5000,from={FAR}/32 fwd=tcp:6003:192.168.8.10:5000,from={UPLINK}"
            f" fwd=tcp:6004:192.168.8.11+{SILENT}:5000 fwd=tcp:6005:192.168.8.98+192.168.8.97:5000")
TCP_OPTIONS = [("MSS", 1400), ("NOP", None), ("WScale", 7), ("SAckOK", b""), ("Timestamp", (0x01020304, 0))]
IP_OPTIONS = b"\x94\x04\x00\x00"  # router alert: none that says where to go
FIELDS = dict(ttl=57, tos=0xB9, id=0x1234, flags="DF")


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router for most."""
    with Stage(FORWARDS) as made:
        yield made
        made.status().check_sum()


def expected(packet, **changed):
    """The bytes of a packet as it has to arrive: one hop further, with these addresses and ports, and else the same."""
    packet = IP(raw(packet))
    ports = {name: changed.pop(name) for name in ("sport", "dport") if name in changed}
    l4 = UDP if UDP in packet else TCP
    no_sum = l4 is UDP and packet[UDP].chksum == 0
    for name, value in (changed | {"ttl": packet.ttl - 1}).items():
        setattr(packet, name, value)
    for name, value in ports.items():
        setattr(packet[l4], name, value)
    del packet.chksum
    del packet[l4].chksum
    if no_sum:
        packet[UDP].chksum = 0
    return raw(packet)


def goes_in(stage, packet, host, sport=None):
    """From outside through the forward to the host, and every byte is as it should be."""
    got = only(stage.put(stage.gateway, packet).inside)
    assert raw(got) == expected(packet, dst=host.ip, dport=SERVICE)
    assert sport is None or got.sport == sport
    sums_are_right(got)


def goes_out(stage, host, packet, port):
    """From the host to the outside, as if the outside address had said it."""
    got = only(stage.put(host, packet).outside)
    assert raw(got) == expected(packet, src=UPLINK, sport=port)
    sums_are_right(got)


def both_hosts(stage):
    """(host, its port outside) of the two."""
    return [(stage.a, PORTS["a"]), (stage.b, PORTS["b"])]


# ---- the example ----

@requirement("R8", "RFC 1624")
@pytest.mark.parametrize("options", [b"", IP_OPTIONS], ids=["plain", "options"])
def test_two_hosts_on_one_port_tcp(stage, options):
    """A client calls both from one port, a whole connection each at the same time; both answer from port 5000."""
    client = 41000 + len(options)
    fields = FIELDS | ({"options": options} if options else {})
    for number, (host, port) in enumerate(both_hosts(stage)):
        there = IP(src=FAR, dst=UPLINK, **fields)
        back = IP(src=host.ip, dst=FAR, **(fields | {"ttl": 64, "tos": 0x20, "id": 0x4321}))
        seq, ack = 0xFFFFFF00 + number, 0x7FFFFFF0
        goes_in(stage, there / TCP(sport=client, dport=port, flags="S", seq=seq, window=4321, options=TCP_OPTIONS),
                host)
        goes_out(stage, host, back / TCP(sport=SERVICE, dport=client, flags="SA", seq=ack, ack=seq + 1, window=1234,
                                         options=TCP_OPTIONS), port)
    for number, (host, port) in enumerate(both_hosts(stage)):
        there = IP(src=FAR, dst=UPLINK, **fields)
        back = IP(src=host.ip, dst=FAR, **(fields | {"ttl": 64, "tos": 0x20, "id": 0x4321}))
        seq, ack = 0xFFFFFF01 + number, 0x7FFFFFF1
        data = bytes(range(256)) + b"\0" * number  # of odd length, too
        goes_in(stage, there / TCP(sport=client, dport=port, flags="A", seq=seq, ack=ack), host)
        goes_in(stage, there / TCP(sport=client, dport=port, flags="PAU", seq=seq, ack=ack, urgptr=3, reserved=1) /
                Raw(data), host)
        goes_out(stage, host, back / TCP(sport=SERVICE, dport=client, flags="PA", seq=ack,
                                         ack=(seq + len(data)) & 0xFFFFFFFF) / Raw(data[::-1]), port)
        goes_out(stage, host, back / TCP(sport=SERVICE, dport=client, flags="FA", seq=ack + len(data),
                                         ack=(seq + len(data)) & 0xFFFFFFFF), port)
        goes_in(stage, there / TCP(sport=client, dport=port, flags="FA", seq=(seq + len(data)) & 0xFFFFFFFF,
                                   ack=ack + len(data) + 1), host)


@requirement("R8", "RFC 1624, RFC 768")
@pytest.mark.parametrize("fields", [FIELDS, FIELDS | {"flags": 0}, FIELDS | {"options": IP_OPTIONS}],
                         ids=["DF", "may-be-cut", "options"])
@pytest.mark.parametrize("chksum", [None, 0], ids=["sum", "no-sum"])
def test_two_hosts_on_one_port_udp(stage, fields, chksum):
    """The same in datagrams, of any length, and with a checksum or without."""
    for host, port in both_hosts(stage):
        for data in (b"", b"odd", bytes(1300)):
            l4 = {} if chksum is None else {"chksum": chksum}
            goes_in(stage, IP(src=FAR, dst=UPLINK, **fields) / UDP(sport=42000, dport=port, **l4) / Raw(data), host)
            goes_out(stage, host, IP(src=host.ip, dst=FAR, **(fields | {"ttl": 2, "id": 0xFFFF})) /
                     UDP(sport=SERVICE, dport=42000, **l4) / Raw(data), port)


def test_published_hosts_call_by_their_published_port(stage):
    """What the hosts open from port 5000 themselves leaves by 6000 and 6001; nobody else can have these."""
    for host, port in both_hosts(stage):
        for dport in (53, 54):
            goes_out(stage, host, udp(host, SERVICE, FARTHER, dport), port)
        other = stage.b if host is stage.a else stage.a
        assert only(stage.put(other, udp(other, port, FARTHER, 53)).outside).sport != port


@requirement("T8", "RFC 5382 REQ-8")
@requirement("U9", "RFC 4787 REQ-9")
def test_hairpin(stage):
    """a calls b's published port, and its own: the server sees the outside address, and the client what it called."""
    for server, port in ((stage.b, PORTS["b"]), (stage.a, PORTS["a"])):
        request = IP(src=stage.a.ip, dst=UPLINK, **FIELDS) / TCP(sport=43000 + port, dport=port, flags="S", seq=7,
                                                                 options=TCP_OPTIONS)
        got = only(stage.put(stage.a, request).inside)
        assert raw(got) == expected(request, src=UPLINK, dst=server.ip, dport=SERVICE, sport=got.sport)
        reply = IP(src=server.ip, dst=UPLINK, **FIELDS) / TCP(sport=SERVICE, dport=got.sport, flags="SA", seq=9, ack=8)
        back = only(stage.put(server, reply).inside)
        assert raw(back) == expected(reply, src=UPLINK, dst=stage.a.ip, sport=port, dport=43000 + port)


# ---- who may come ----

def is_open(stage, host, source, port):
    """Whether a SYN to this port of the outside address arrives."""
    seen = stage.put(host, IP(src=source, dst=UPLINK) / TCP(sport=38000 + port, dport=port, flags="S"))
    return any(TCP in packet and packet[TCP].dport == SERVICE for packet in seen.inside)


@pytest.mark.parametrize("port,far,farther,inside", [(6000, True, True, True), (6002, True, False, False),
                                                     (6003, False, False, True)])
def test_from(stage, port, far, farther, inside):
    """from= is about the address that is seen outside: hosts inside call from the outside address."""
    assert is_open(stage, stage.gateway, FAR, port) == far
    assert is_open(stage, stage.gateway, FARTHER, port) == farther
    assert is_open(stage, stage.b, stage.b.ip, port) == inside


# ---- several hosts ----

def who_gets(stage, sport, port=6004):
    """The address a connection to port 6004 is led to; None: nobody gets it (yet)."""
    seen = stage.put(stage.gateway, IP(src=FAR, dst=UPLINK) / TCP(sport=sport, dport=port, flags="S"))
    return only(seen.inside).dst if seen else None


def test_silent_host_is_passed_over():
    """The first connection to a host that is not there moves on with its second SYN, the others go round it at once;
    the console says so once, and again when it is back, which the next caller finds out."""
    with Stage(FORWARDS) as stage:
        first = [who_gets(stage, sport) for sport in (1000, 1001)]
        assert sorted(first, key=str) == ["192.168.8.11", None], first
        stage.pass_time(1)
        assert {who_gets(stage, sport) for sport in range(1000, 1010)} == {stage.b.ip}
        stage.pass_time(10)
        assert {who_gets(stage, sport) for sport in range(1010, 1020)} == {stage.b.ip}
        line = f"forward  tcp 6004: {SILENT} "
        assert stage.router.console.count(line + "does not answer; others take its turns") == 1
        stage.another(stage.b, SILENT)
        stage.pass_time(2)
        who_gets(stage, 1020)  # asks
        assert [who_gets(stage, sport) for sport in range(1021, 1025)].count(SILENT) == 2
        assert stage.router.console.count(line + "answers again") == 1
        assert stage.router.console.count(line) == 2
        stage.status().check_sum()


def test_none_answers(stage):
    """Each has its turn as if nobody knew: one that comes back is found, also by a connection that began before."""
    for sport in (1000, 1001):
        assert who_gets(stage, sport, 6005) is None
    stage.pass_time(5)
    assert who_gets(stage, 1000, 6005) is None
    stage.another(stage.a, "192.168.8.97")
    stage.pass_time(2)
    who_gets(stage, 1000, 6005)  # asks
    assert {who_gets(stage, sport, 6005) for sport in range(1000, 1006)} == {"192.168.8.97"}


# ---- the dmz ----

def test_dmz_of_a_port_that_was_anothers():
    """The dmz host's endpoint is known by another port, because b had its own when it spoke; when b's has gone, the
    port leads to the dmz. Answers carry the port that was called, what it opens itself the one it has always had."""
    with Stage("dmz=192.168.8.10") as stage:
        a, b = stage.a, stage.b
        assert only(stage.put(b, udp(b, 4500, FAR, 9)).outside).sport == 4500
        first = only(stage.put(a, udp(a, 4500, FAR, 9)).outside).sport
        assert first != 4500
        for _ in range(3):
            stage.pass_time(100)
            assert only(stage.put(a, udp(a, 4500, FAR, 9)).outside).sport == first
        for port, source in ((4500, FARTHER), (first, GATEWAY)):
            got = only(stage.put(stage.gateway, udp(source, 10, UPLINK, port)).packets[1])
            assert (got.src, got.dst, got.dport) == (source, a.ip, 4500)
            assert only(stage.put(a, udp(a, 4500, source, 10)).outside).sport == port
        assert only(stage.put(a, udp(a, 4500, FARTHER, 11)).outside).sport == first
        taken = {4500, first}
        for dport in (9, 10, 11):
            assert only(stage.put(b, udp(b, 4500, FARTHER, dport)).outside).sport not in taken
        stage.status().check_sum()


# ---- with real clients ----

WEB = os.path.join(os.path.dirname(lab_outside.__file__), "web.py")
HOME_FORWARDS = (f"host={host_mac(1)},192.168.8.10,one host={host_mac(2)},192.168.8.11,two"
                 " fwd=tcp:6000:one:5000 fwd=tcp:6001:two:5000"
                 " fwd=tcp:6002:one+192.168.8.99+two:5000")


@pytest.fixture(scope="module", name="served")
def fixture_served():
    """A home whose two hosts serve the web on port 5000."""
    with Home(hosts=2, config=HOME_FORWARDS, web=False) as made:
        for name, host in zip(("one", "two"), made.hosts):
            host.run("sh", "-c", f"mkdir -p /run/www && echo {name} >/run/www/name")
            web = host.spawn(sys.executable, WEB, SERVICE, "/run/www", stdout=-1)
            assert b"listening" in web.stdout.readline()
        yield made
        made.router.status().check_sum()


def curl(home, host, port, path, *more):
    """What curl gets from this port of the outside address."""
    url = f"http://{home.outside.router_address()}:{port}/{path}"
    return host.run("curl", "-sS", "-f", "-m", 20, *more, url, timeout=30).stdout.split()


def test_curl_from_outside(served):
    """Each port has its server, which sees the client's own address and port."""
    for port, name in ((6000, "one"), (6001, "two")):
        for source in (GATEWAY, SERVER):
            ends = curl(served, served.outside.host, port, "who", "--interface", source,
                        "-w", "%{local_ip} %{local_port}")
            assert ends[:2] == ends[2:] and ends[0] == source, ends
            assert curl(served, served.outside.host, port, "name", "--interface", source) == [name]


@requirement("T8", "RFC 5382 REQ-8")
def test_curl_from_inside(served):
    """From each host to each server by the outside address: the server sees the outside address as the client's."""
    address = served.outside.router_address()
    for host in served.hosts:
        for port, name in ((6000, "one"), (6001, "two")):
            who = curl(served, host, port, "who", "-w", "%{local_ip} %{remote_ip}:%{remote_port}")
            assert who[0] == address and who[2] == host.address()[0] and who[3] == f"{address}:{port}", who
            assert curl(served, host, port, "name") == [name]


def test_curl_to_several_of_which_one_is_not_there(served):
    """No connection fails, only the first to the missing host waits for its second SYN; then none waits."""
    names, waited = set(), []
    for _ in range(9):
        name, connect_s = curl(served, served.outside.host, 6002, "name", "-w", "%{time_connect}")
        names.add(name)
        waited.append(float(connect_s))
    assert names == {"one", "two"} and sum(seconds > 0.9 for seconds in waited) <= 2, (names, waited)
    served.router.wait_for(r"forward  tcp 6002: 192\.168\.8\.99 does not answer; others take its turns")
    with contextlib.closing(connect(served.outside.host, served.outside.router_address(), 6002)):
        pass
    assert len(re.findall(r"forward  tcp 6002:", served.router.console)) == 1
