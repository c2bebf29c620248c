# SPDX-License-Identifier: BSD-3-Clause
"""The uplink's address comes, changes and goes: by scripted DHCP servers, in virtual time.

    [Host a] line 1 ---- port 1 [        ]                      [ server .1, gateway  ]
    [Host b] line 2 ---- port 2 [ router ] port 0 ---- line 0 --[ rogue  .66          ]-- everybody outside
"""

import contextlib
import subprocess
import time

from scapy.all import BOOTP, DHCP, ICMP, IP, TCP, UDP, Ether, raw

from lab.home import Home
from lab.wires import FAR, GATEWAY, Stage, only, sums_are_right, udp

FIRST, SECOND, ROGUE = "203.0.113.2", "203.0.113.77", "203.0.113.66"
LEASE_S = 600
SYN, SYN_ACK, ACK, RST = "S", "SA", "A", "R"
ISN = {True: 0xFFFFFFF0, False: 5000}  # of the outside, of the inside


class Server:
    """DHCP servers on the uplink's line: what they say is up to the test."""

    def __init__(self, stage):
        self.stage, self.line = stage, stage.lines[0]

    def asked(self):
        """The client's messages since the last look, as (type, options, packet); taken off the line."""
        messages = []
        for frame in self.line.frames[:]:
            packet = Ether(frame)
            if packet.haslayer(DHCP) and packet[UDP].dport == 67:
                self.line.frames.remove(frame)
                options = dict(option for option in packet[DHCP].options if isinstance(option, tuple))
                messages.append((options["message-type"], options, packet))
        return messages

    def say(self, kind, xid, address=FIRST, server=GATEWAY, router=GATEWAY, lease=LEASE_S):
        """Puts an answer on the line: "offer", "ack" or "nak"."""
        options = [("message-type", {"offer": 2, "ack": 5, "nak": 6}[kind]), ("server_id", server)]
        if kind != "nak":
            options += [("lease_time", lease), ("subnet_mask", "255.255.255.0"), ("router", router)]
        mac = self.stage.gateway.mac
        self.line.send(raw(
            Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src=server, dst="255.255.255.255") / UDP(sport=67, dport=68) /
            BOOTP(op=2, xid=xid, yiaddr=address if kind != "nak" else "0.0.0.0",
                  chaddr=bytes.fromhex(self.stage.router.mac(0).replace(":", ""))) /
            DHCP(options=options + ["end"])))

    def wait_asked(self, kind, seconds=0):
        """The next message of this type, while at most so much time passes."""
        def look():
            return next((message for message in self.asked() if message[0] == kind), None)

        for _ in range(0, seconds, 20):
            if message := look():
                return message
            self.stage.pass_time(20)
        with self.stage.running():
            return self.stage.wait(look, f"DHCP message {kind}")

    def said(self, pattern):
        """Waits for a line on the console, from now on or before."""
        with self.stage.running():
            return self.stage.router.wait_for(pattern)


@contextlib.contextmanager
def leased(config="", **where):
    """A stage whose uplink has its first lease, and its server."""
    with Stage(config, uplink="uplink=0,dhcp", **where) as stage:
        server = Server(stage)
        xid = server.wait_asked(1)[2][BOOTP].xid
        with stage.running():
            server.say("offer", xid)
        xid = server.wait_asked(3)[2][BOOTP].xid
        with stage.running():
            server.say("ack", xid)
        server.said(rf"^uplink +{FIRST}/24")
        stage.ends[0] = (GATEWAY, FIRST)
        stage.put()
        yield stage, server
        stage.status().check_sum()


def renew(server, just_before=lambda: None, **words):
    """The lease is renewed, with these words."""
    xid = server.wait_asked(3, LEASE_S)[2][BOOTP].xid
    just_before()
    with server.stage.running():
        server.say("ack", xid, **words)


def connect(stage, host, sport, address=FIRST):
    """A TCP connection of a host, with data in flight from outside; its outside port."""
    me, peer = ISN[False], ISN[True]
    out = only(stage.put(host, IP(src=host.ip, dst=FAR) / TCP(sport=sport, dport=80, flags=SYN, seq=me)).outside)
    stage.put(stage.gateway, IP(src=FAR, dst=address) / TCP(sport=80, dport=out[TCP].sport, flags=SYN_ACK, seq=peer,
                                                            ack=me + 1))
    stage.put(host, IP(src=host.ip, dst=FAR) / TCP(sport=sport, dport=80, flags=ACK, seq=me + 1, ack=peer + 1))
    return out[TCP].sport


def resets(stage, host, count):
    """So many resets come to the host; by its port. They are taken off its line."""
    found = {}

    def look():
        for frame in host.line.frames[:]:
            packet = Ether(frame)
            if packet.haslayer(TCP) and "R" in packet[TCP].flags:
                host.line.frames.remove(frame)
                assert packet.dst == host.mac and packet.src == host.line.router_mac
                sums_are_right(packet[IP])
                found[packet[TCP].dport] = packet[IP]
        return len(found) >= count

    with stage.running():
        stage.wait(look, f"{count} resets")
    return found


def test_another_address_at_renewal():
    """Hosts learn at once that their connections are over; UDP goes on from the new address; ports stay."""
    with leased() as (stage, server):
        a, b = stage.a, stage.b
        for sport in range(4000, 4020):
            connect(stage, a, sport)
        renew(server, address=SECOND, just_before=lambda: stage.put(
            b, IP(src=b.ip, dst=FAR) / TCP(sport=5000, dport=80, flags=SYN, seq=77), udp(b, 6000, FAR, 53)))
        server.said(rf"^uplink +address changed from {FIRST} to {SECOND}: 22 connections ended")
        stage.ends[0] = (GATEWAY, SECOND)
        told = resets(stage, a, 20)
        assert sorted(told) == list(range(4000, 4020))
        for packet in told.values():
            assert (packet.src, packet[TCP].sport) == (FAR, 80)
            assert packet[TCP].seq == (ISN[True] + 1) % 2**32
        half = resets(stage, b, 1)[5000]
        assert half[TCP].ack == 78 and half[TCP].flags == "RA"
        # What was on its way is answered; what begins, begins at the new address.
        late = stage.put(a, IP(src=a.ip, dst=FAR) / TCP(sport=4000, dport=80, flags=ACK, seq=9, ack=12345) / b"data")
        assert not late.outside and only(late.packets[1])[TCP].seq == 12345
        assert only(stage.put(b, udp(b, 6000, FAR, 53)).outside).src == SECOND
        again = only(stage.put(a, IP(src=a.ip, dst=FAR) / TCP(sport=4000, dport=80, flags=SYN, seq=1)).outside)
        assert (again.src, again[TCP].sport) == (SECOND, 4000)
        assert not stage.put(stage.gateway, udp(FAR, 53, FIRST, 6000)).inside


def test_same_address_keeps_conversations():
    """A link that comes and goes, and the lease that is still ours."""
    with leased() as (stage, server):
        a = stage.a
        port = connect(stage, a, 4000)
        stage.router.set_link(0, False)
        server.said(r"^port 0 link down")
        # Existing conversations wait; new ones are refused with a reason.
        seen = stage_put_without_uplink(stage, a, udp(a, 7000, FAR, 53))
        assert (seen[ICMP].type, seen[ICMP].code) == (3, 0)
        stage.router.set_link(0, True)
        kind, options, packet = server.wait_asked(3)
        assert kind == 3 and options["requested_addr"] == FIRST and "server_id" not in options
        with stage.running():
            server.say("nak", packet[BOOTP].xid, server=ROGUE)
            server.say("ack", packet[BOOTP].xid)
        server.said(rf"ignored DHCP server {ROGUE}, which refuses the address: {GATEWAY} was asked")
        data = IP(src=FAR, dst=FIRST) / TCP(sport=80, dport=port, flags=ACK, seq=ISN[True] + 1, ack=ISN[False] + 1)
        assert only(stage.put(stage.gateway, data / b"more").inside)[TCP].dport == 4000
        assert "address changed" not in stage.router.console


def stage_put_without_uplink(stage, host, packet):
    """Like put(), while line 0 cannot answer."""
    kept = stage.ends.pop(0)
    try:
        return only(stage.put(host, packet).packets[host.line.number])
    finally:
        stage.ends[0] = kept


def test_server_that_vanishes():
    """RENEWING, REBINDING, lost; and a new lease, of another server."""
    with leased() as (stage, server):
        connect(stage, stage.a, 4000)
        stage.pass_time(LEASE_S + 20)
        server.said(rf"uplink +DHCP server {GATEWAY} does not renew the lease: asking any")
        server.said(r"uplink +the address is lost")
        server.said(rf"^uplink +address {FIRST} was lost: 1 connections ended")
        assert list(resets(stage, stage.a, 1)) == [4000]
        kinds = [kind for kind, _, _ in server.asked()]
        assert kinds.count(3) >= 2 and kinds[-1] == 1
        xid = server.wait_asked(1, 120)[2][BOOTP].xid
        with stage.running():
            server.say("offer", xid, address=SECOND, server=ROGUE)
        xid = server.wait_asked(3)[2][BOOTP].xid
        with stage.running():
            server.say("ack", xid, address=SECOND, server=ROGUE)
        server.said(rf"^uplink +{SECOND}/24")
        stage.ends[0] = (GATEWAY, SECOND)
        assert only(stage.put(stage.a, udp(stage.a, 6000, FAR, 53)).outside).src == SECOND


def test_routed_network_is_not_translated():
    """Its hosts' own addresses go out, and come in with a rule only; a new uplink address ends nothing of theirs."""
    with leased("net=pub,routed,ip=198.51.200.1/24,ports=1 rule=allow,from=uplink,to=pub,proto=tcp,port=443",
                hosts=1, subnet="198.51.200", router_ip="198.51.200.1") as (stage, server):
        pub = stage.a
        for packet in (udp(pub, 4000, FAR, 53),
                       IP(src=pub.ip, dst=FAR) / TCP(sport=4000, dport=80, flags=SYN, seq=1)):
            out = only(stage.put(pub, packet).outside)
            assert (out.src, out.dst, out.sport, out.dport) == (packet.src, packet.dst, packet.sport, packet.dport)
            assert raw(out.payload) == raw(IP(raw(packet)).payload)
            sums_are_right(out)
        knock = IP(src=FAR, dst=pub.ip) / TCP(sport=999, dport=443, flags=SYN, seq=5)
        assert only(stage.put(stage.gateway, knock).inside).src == FAR
        knock[TCP].dport = 444
        assert not stage.put(stage.gateway, knock).inside
        renew(server, address=SECOND, just_before=lambda: stage.put(pub, udp(pub, 4000, FAR, 53)))
        server.said(rf"^uplink +address changed from {FIRST} to {SECOND}: 0 connections ended")
        stage.ends[0] = (GATEWAY, SECOND)
        assert only(stage.put(stage.gateway, udp(FAR, 53, pub.ip, 4000)).inside).dst == pub.ip


def test_lease_in_our_own_network():
    """It is no way out, and says so; the next lease is."""
    with leased() as (stage, server):
        connect(stage, stage.a, 4000)
        renew(server, address="192.168.8.99")
        server.said(r"the uplink's subnet overlaps network")
        server.said(r"^uplink +address changed .*: 1 connections ended")
        assert list(resets(stage, stage.a, 1)) == [4000]
        renew(server, address=SECOND)
        server.said(rf"^uplink +{SECOND}/24")
        stage.ends[0] = (GATEWAY, SECOND)
        assert only(stage.put(stage.a, udp(stage.a, 6000, FAR, 53)).outside).src == SECOND


def test_real_client_and_server():
    """Linux believes the reset: curl, which waits for an answer, ends when dnsmasq gives the router another address."""
    with Home(hosts=1) as home:
        curl = home.hosts[0].spawn("curl", "-sS", "-m", 60, "http://files.example/wait/50", stderr=subprocess.PIPE)
        home.router.wait_for(r"^uplink +203\.0\.113\.")
        time.sleep(2)
        home.outside.stop_isp()
        home.outside.start_isp(extra=[f"--dhcp-host={home.router.mac(0)},203.0.113.200"])
        home.router.set_link(0, False)
        home.router.wait_for("port 0 link down")
        home.router.set_link(0, True)
        home.router.wait_for(r"DHCP server 203\.0\.113\.1 refuses the address")
        home.router.wait_for(r"^uplink +address .* was lost: 1 connections ended")
        home.router.wait_for(r"^uplink +203\.0\.113\.200/24")
        start = time.monotonic()
        assert curl.wait(20) == 56, curl.stderr.read()
        assert time.monotonic() - start < 10
        assert b"reset by peer" in curl.stderr.read()
        assert " 0% packet loss" in home.hosts[0].run("ping", "-c", 2, "-W", 5, "198.51.100.10").stdout
