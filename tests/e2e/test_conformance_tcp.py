# SPDX-License-Identifier: BSD-3-Clause
"""RFC 5382 and RFC 7857, requirement by requirement: TCP in virtual time. The drawing is lab/wires.py's."""

import collections

import pytest
from scapy.all import ICMP, IP, TCP, IPerror, Raw, TCPerror, raw

from lab.requirements import requirement
from lab.wires import FAR, FARTHER, GATEWAY, UPLINK, Host, Stage, flood_frame, only, payload, sums_are_right

CLOSING_S = 240
ESTABLISHED_S = 7440


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router for most."""
    with Stage() as made:
        yield made
        made.status().check_sum()


@pytest.fixture(scope="module", name="strict")
def fixture_strict():
    """A router that filters by address."""
    with Stage("net=lan,nat,filter=address-dependent") as made:
        yield made
        made.status().check_sum()


class Connection:
    """A TCP connection of a LAN host with somebody outside, of which both ends are ours."""

    def __init__(self, stage, host, sport, to=FAR, dport=80):
        self.stage, self.host, self.sport, self.to, self.dport = stage, host, sport, to, dport
        self.port = None  # the host's outside port
        self.next_out, self.next_in = 1000, 70000  # sequence numbers

    def out(self, flags, data=b"", seq=None):
        """A segment from inside; returns how it is seen outside, or None."""
        segment = TCP(sport=self.sport, dport=self.dport, flags=flags, seq=self.next_out if seq is None else seq,
                      ack=self.next_in if "A" in flags else 0)
        seen = self.stage.put(self.host, IP(src=self.host.ip, dst=self.to) / segment / Raw(data))
        if seq is None:
            self.next_out += len(data) + ("S" in flags) + ("F" in flags)
        if not seen.outside:
            return None
        packet = only(seen.outside)
        assert (packet.src, packet.dst, packet[TCP].dport) == (UPLINK, self.to, self.dport)
        assert payload(packet)[:len(data)] == data and packet[TCP].flags == flags
        sums_are_right(packet)
        self.port = packet[TCP].sport
        return packet

    def back(self, flags, data=b"", seq=None):
        """A segment from outside; returns how the host sees it, or None."""
        segment = TCP(sport=self.dport, dport=self.port or self.sport, flags=flags,
                      seq=self.next_in if seq is None else seq, ack=self.next_out if "A" in flags else 0)
        seen = self.stage.put(self.stage.gateway, IP(src=self.to, dst=UPLINK) / segment / Raw(data))
        if seq is None:
            self.next_in += len(data) + ("S" in flags) + ("F" in flags)
        if not seen.inside:
            return None
        packet = only(seen.packets[self.host.line.number])
        assert (packet.src, packet.dst, packet[TCP].dport) == (self.to, self.host.ip, self.sport)
        assert payload(packet)[:len(data)] == data and packet[TCP].flags == flags
        sums_are_right(packet)
        return packet

    def open(self):
        """The handshake, from inside. Returns the connection."""
        assert self.out("S") and self.back("SA") and self.out("A")
        return self

    def lives(self):
        """Whether data pass, both ways, beginning outside."""
        return bool(self.back("PA", b"are you there") and self.out("PA", b"yes"))


@requirement("T1", "RFC 5382 REQ-1")
def test_mapping_is_endpoint_independent(stage):
    """One inside port to 20 endpoints: one outside port."""
    ports = set()
    for number in range(20):
        connection = Connection(stage, stage.a, 5001, f"198.51.100.{1 + number % 5}", 80 + number)
        connection.open()
        ports.add(connection.port)
    assert len(ports) == 1, ports


@requirement("T2", "RFC 5382 REQ-2")
def test_usual_handshake_and_end(stage):
    """SYN, SYN-ACK, ACK, data, FIN both ways."""
    connection = Connection(stage, stage.a, 5002).open()
    assert connection.lives()
    assert connection.out("FA") and connection.back("A") and connection.back("FA") and connection.out("A")


@requirement("T2", "RFC 5382 REQ-2")
def test_simultaneous_open(stage):
    """The SYNs cross; each side answers the other's with SYN-ACK; and then it is as established as any other."""
    connection = Connection(stage, stage.a, 5003)
    assert connection.out("S") and connection.back("S")
    assert connection.out("SA", seq=1000) and connection.back("SA", seq=70000)
    assert connection.lives()
    stage.pass_time(2 * CLOSING_S)
    assert connection.lives(), "it was not taken for established"


@requirement("T2", "RFC 5382 REQ-2")
def test_simultaneous_open_with_the_outside_first(stage):
    """The outside's SYN comes a moment before ours and is dropped; nobody answers it; ours then crosses its second."""
    connection = Connection(stage, stage.a, 5004)
    assert not connection.back("S", seq=70000)
    assert connection.out("S") and connection.back("S")
    assert connection.out("SA", seq=1000) and connection.back("SA", seq=70000) and connection.lives()


@requirement("T3", "RFC 5382 REQ-3")
def test_filtering_is_endpoint_independent(stage):
    """Somebody else's SYN to a mapped port reaches the host, which may accept it."""
    known = Connection(stage, stage.a, 5005).open()
    for to, dport in ((FAR, 81), (FARTHER, 80), (GATEWAY, 50000)):
        stranger = Connection(stage, stage.a, 5005, to, dport)
        stranger.port = known.port
        assert stranger.back("S") and stranger.out("SA") and stranger.back("A") and stranger.lives()


def syn_from_outside(stage, port, sport=4321, source=FAR):
    """An unsolicited SYN; returns what was seen."""
    return stage.put(stage.gateway, IP(src=source, dst=UPLINK, id=port) / TCP(sport=sport, dport=port, flags="S",
                                                                          seq=5))


@requirement("T4", "RFC 5382 REQ-4")
def test_unsolicited_syn_is_not_answered_for_six_seconds(stage):
    """Neither RST nor ICMP within 6 s; and never a RST."""
    start = stage.now()
    assert not syn_from_outside(stage, 5006)
    for moment in (1, 3, 5.5):
        stage.pass_time(moment, start)
        assert not stage.put()
    stage.pass_time(10, start)
    assert not [packet for packet in stage.put().outside if TCP in packet]


@requirement("T4", "RFC 5382 REQ-4")
def test_unsolicited_syn_is_forgotten_when_the_host_calls(stage):
    """The host's own SYN within 6 s: the first one is never answered, and the connection comes about."""
    start = stage.now()
    assert not syn_from_outside(stage, 5007, 80)
    stage.pass_time(3, start)
    connection = Connection(stage, stage.a, 5007).open()
    stage.pass_time(10, start)
    assert not stage.put()
    assert connection.lives()


@requirement("T4", "RFC 5382 REQ-4")
@pytest.mark.parametrize("mapped", [False, True], ids=["closed", "mapped"])
def test_unsolicited_syn_is_never_answered(strict, mapped):
    """Nothing for 20 s, neither from a port that is nobody's nor from one that is open to others only."""
    port = Connection(strict, strict.a, 5008).open().port if mapped else 5009
    start = strict.now()
    assert not syn_from_outside(strict, port, source=FARTHER)
    for moment in (5.5, 7, 20):
        strict.pass_time(moment, start)
        assert not strict.put()
    assert strict.status().drops["filtered" if mapped else "unsolicited"] == 1


@requirement("T3", "RFC 5382 REQ-3")
def test_filtering_by_address(strict):
    """Whom the host has called may call back, from any port, and nobody else; its mapping is one for all the same."""
    known = Connection(strict, strict.a, 5013).open()
    same = Connection(strict, strict.a, 5013, FAR, 81)
    same.port = known.port
    assert same.back("S") and same.out("SA") and same.back("A") and same.lives()
    stranger = Connection(strict, strict.a, 5013, FARTHER, 90)
    stranger.port = known.port
    assert not stranger.back("S")
    assert stranger.out("S").sport == known.port and stranger.back("S"), "both have called"
    assert stranger.out("SA", seq=1000) and stranger.back("SA", seq=70000) and stranger.lives()


@requirement("T5", "RFC 5382 REQ-5")
def test_idle_times(stage):
    """Half-open 239 s; established 7,439 s, and not for ever."""
    half = Connection(stage, stage.a, 5010)
    assert half.out("S")
    start = stage.now()
    one, two = Connection(stage, stage.a, 5011).open(), Connection(stage, stage.a, 5012).open()
    stage.pass_time(CLOSING_S - 1, start)
    assert half.back("SA"), "a half-open connection was gone before 240 s"
    stage.pass_time(ESTABLISHED_S - 1, start)
    assert one.lives(), "an established connection was gone before 7,440 s"
    stage.pass_time(7500, start)
    assert not two.back("PA", b"late"), "nothing was sent for 7,500 s"
    assert one.lives()


FTP = b"PORT 192,168,8,10,19,137\r\n"  # port 5001


@requirement("T6", "RFC 5382 REQ-6")
@requirement("U10", "RFC 4787 REQ-10")
@requirement("slipstream", "NAT slipstreaming")
@pytest.mark.parametrize("dport,out,back,port", [
    (21, FTP.replace(b"19,137", b"200,1"), b"227 Entering Passive Mode (198,51,100,10,200,2).\r\n", 51201),
    (6667, b"PRIVMSG bob :\x01DCC SEND file 3232237578 51203 1000\x01\r\n", b":irc NOTICE a\r\n", 51203),
    (5060, b"REGISTER sip:198.51.100.10;transport=tcp SIP/2.0\r\nContact: <sip:a@192.168.8.10:51204>\r\n\r\n",
     b"SIP/2.0 200 OK\r\nContact: <sip:a@192.168.8.10:51204>\r\n\r\n", 51204),
    (1720, b"\x03\x00\x00\x10\x08\x02\x00\x01\x05\xc0\xa8\x08\x0a\xc8\x05\x00", b"\x03\x00\x00\x04", 51205)],
    ids=["FTP", "IRC", "SIP", "H.323"])
def test_payloads_are_left_alone(stage, dport, out, back, port):
    """Addresses and ports in payloads stay what they are, to the bit, and open nothing."""
    connection = Connection(stage, stage.a, 5020, dport=dport).open()
    assert connection.out("PA", out) and connection.back("PA", back)
    for source in (FAR, FARTHER):
        assert not syn_from_outside(stage, port, 20, source), f"port {port} was opened"


@requirement("T7", "RFC 5382 REQ-7")
def test_no_port_overloading(stage):
    """Two hosts, one source port, one server: two outside ports, two connections."""
    one, two = (Connection(stage, host, 5030).open() for host in stage.lan)
    assert one.port != two.port
    assert one.lives() and two.lives()


@requirement("T8", "RFC 5382 REQ-8")
def test_hairpin_has_the_outside_source(stage):
    """b connects to a's outside port: a sees b's outside address and port."""
    of_a, of_b = Connection(stage, stage.a, 5031).open(), Connection(stage, stage.b, 5032).open()
    ends = {stage.a: of_a, stage.b: of_b}
    for source, flags, target in ((stage.b, "S", stage.a), (stage.a, "SA", stage.b), (stage.b, "A", stage.a),
                                  (stage.a, "PA", stage.b), (stage.b, "FA", stage.a)):
        segment = TCP(sport=ends[source].sport, dport=ends[target].port, flags=flags, seq=1, ack=1)
        seen = stage.put(source, IP(src=source.ip, dst=UPLINK) / segment)
        packet = only(seen.inside)
        assert packet in seen.packets[target.line.number] and not seen.outside
        assert (packet.src, packet[TCP].sport) == (UPLINK, ends[source].port)
        assert (packet.dst, packet[TCP].dport) == (target.ip, ends[target].sport)
        sums_are_right(packet)


@requirement("T9", "RFC 5382 REQ-9")
@requirement("T10", "RFC 5382 REQ-10")
@requirement("hijack", "TCP hijack behind NAT")
def test_icmp_is_translated_and_ends_nothing(stage):
    """Every code of destination unreachable about an established connection: heard by the host, as about its own
    segment; and the connection lives, also after the time that closing ones have."""
    connection = Connection(stage, stage.a, 5040).open()
    sent = connection.out("PA", b"question")
    for code in range(16):
        seen = stage.put(stage.gateway, IP(src=FARTHER, dst=UPLINK) / ICMP(type=3, code=code) / Raw(raw(sent)[:28]))
        packet = only(seen.packets[1])
        assert (packet.src, packet.dst, packet[ICMP].type, packet[ICMP].code) == (FARTHER, stage.a.ip, 3, code)
        assert (packet[IPerror].src, packet[IPerror].dst) == (stage.a.ip, FAR)
        assert (packet[TCPerror].sport, packet[TCPerror].dport) == (5040, 80)
    assert connection.lives()
    stage.pass_time(2 * CLOSING_S)
    assert connection.lives()


@requirement("T11", "RFC 7857 s. 2.3")
@pytest.mark.parametrize("side", ["out", "back"])
def test_rst_is_translated_and_held(stage, side):
    """A right RST passes. The state is there 239 s later, for the peer's retransmissions, and then gone."""
    connection = Connection(stage, stage.a, 5050 + (side == "out")).open()
    assert getattr(connection, side)("R" if side == "back" else "RA")
    start = stage.now()
    stage.pass_time(CLOSING_S - 1, start)
    other = "back" if side == "out" else "out"
    assert getattr(connection, other)("R"), "the state was not held"
    stage.pass_time(CLOSING_S + 15, start)
    assert not connection.back("PA", b"late")


@requirement("T11", "RFC 7857 s. 2.3")
def test_further_rsts_do_not_refresh(stage):
    """RSTs that a host sends on and on do not hold the state."""
    connection = Connection(stage, stage.a, 5052).open()
    start = stage.now()
    for moment in range(0, CLOSING_S, 40):
        stage.pass_time(moment, start)
        assert connection.out("R")
    stage.pass_time(CLOSING_S + 20, start)
    assert not connection.back("PA", b"late")


@requirement("T11", "RFC 7857 s. 2.1")
@pytest.mark.parametrize("last", ["A", ""], ids=["answered", "not answered"])
def test_closing_has_a_time_of_its_own(stage, last):
    """After FINs both ways the state stays 239 s, and not as long as an established one's."""
    connection = Connection(stage, stage.a, 5053 + (last == "A")).open()
    assert connection.out("FA") and connection.back("FA")
    if last:
        assert connection.out(last)
    start = stage.now()
    stage.pass_time(CLOSING_S - 1, start)
    assert connection.back("FA", seq=connection.next_in - 1), "the last FIN may have to be said again"
    stage.pass_time(2 * CLOSING_S + 15, start)
    assert not connection.back("PA", b"late")


@requirement("T11", "RFC 7857 s. 2.2")
@pytest.mark.parametrize("flags", ["R", "RA", "FA"])
def test_what_is_out_of_the_window_changes_nothing(stage, flags):
    """A RST or FIN whose sequence number is far off, from outside and from inside: the connection's idle time is what
    it was."""
    connection = Connection(stage, stage.a, 5060 + "R RA FA".split().index(flags)).open()
    assert connection.lives()
    connection.back(flags, seq=connection.next_in + 0x40000000)
    connection.out(flags, seq=connection.next_out + 0x40000000)
    stage.pass_time(2 * CLOSING_S)
    assert connection.back("PA", b"still here"), "it was closed"


@requirement("hijack", "ReDAN")
def test_many_forged_rsts_beside_a_live_connection(stage):
    """2,000 RSTs from outside with the right ends and wrong sequence numbers; the connection, then idle for 10
    minutes, lives."""
    connection = Connection(stage, stage.a, 5070).open()
    server = Host(stage.gateway.line, FAR, stage.gateway.mac)
    for turn in range(4):
        frames = [flood_frame(server, FAR, 80, UPLINK, connection.port, 0x04,
                              (connection.next_in + (2 + turn * 500 + number) * 800_000) % (1 << 32))
                  for number in range(500)]
        stage.put(stage.gateway, *frames)
        assert connection.lives(), f"turn {turn}"
    stage.put(stage.gateway, *frames)
    stage.pass_time(600)
    assert connection.lives()


@requirement("T12", "RFC 7857 s. 9, RFC 6056")
@requirement("shadow", "port shadow")
def test_ports_are_random():
    """4,000 hosts want one port; one gets it, the others' are spread evenly over all of the range, and what comes next
    cannot be told from what came before."""
    count = 4000
    with Stage("net=lan,nat,ip=10.20.0.1/16", hosts=1, subnet="10.20.0", router_ip="10.20.0.1") as stage:
        host = stage.a
        frames = [flood_frame(host, f"10.20.{1 + number // 250}.{1 + number % 250}", 40001, FAR, 80, 0x02)
                  for number in range(count)]
        packets = stage.put(host, frames[0]).outside + stage.put(host, *frames[1:]).outside
        assert "tx-full" not in stage.status().drops
    ports = [packet[TCP].sport for packet in packets]
    assert len(ports) == len(set(ports)) == count
    assert ports[0] == 40001 and min(ports) >= 1024 and {port % 2 for port in ports} == {1}
    cells = collections.Counter((port - 1024) * 63 // (65536 - 1024) for port in ports)
    expected = count / 63
    chi_square = sum((cells[cell] - expected) ** 2 / expected for cell in range(63))
    assert chi_square < 130, f"chi-square {chi_square:.0f} of 62 degrees of freedom"
    steps = collections.Counter((later - earlier) % 65536 for earlier, later in zip(ports, ports[1:]))
    assert max(steps.values()) <= 6, steps.most_common(5)
