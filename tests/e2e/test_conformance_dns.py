# SPDX-License-Identifier: BSD-3-Clause
"""What a DNS proxy owes, in virtual time, with frames by hand: RFC 5452, RFC 5625, RFC 9267, and rebinding.

    [a] 192.168.8.10 ---- port 1 [ router ] port 0 203.0.113.2 ---- [gateway], and 203.0.113.53, the DNS server
    [b] 192.168.8.11 ---- port 2 [        ]
"""

import struct

import pytest
from scapy.all import ICMP, IP, TCP, UDP

from lab.requirements import requirement
from lab.wires import FAR, GATEWAY, ROUTER, UPLINK, Stage, only, payload, udp

SERVER = "203.0.113.53"
A, NOERROR, FORMERR, SERVFAIL = 1, 0, 1, 2
TYPE_ANYTHING = 65399  # private use: nobody knows it


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """A router with one DNS server outside."""
    config = "dnsprivate=home.example"
    with Stage(config, uplink=f"uplink=0,ip={UPLINK}/24,gw={GATEWAY},dns={SERVER}") as made:
        made.asked = set()
        yield made
        made.status().check_sum()


def encode(name):
    """A name as a message has it."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def query(name, ident, kind=A, flags=0x0100, extra=b"", extras=0):
    """A question, and perhaps a record behind it."""
    return struct.pack("!6H", ident, flags, 1, 0, 0, extras) + encode(name) + struct.pack("!HH", kind, 1) + extra


def opt(size=1232, flags=0, options=b""):
    """An OPT record."""
    return b"\0" + struct.pack("!HHIH", 41, size, flags, len(options)) + options


def record(address, ttl=60):
    """An address of the question's name."""
    return struct.pack("!HHHIH", 0xC00C, A, 1, ttl, 4) + bytes(int(part) for part in address.split("."))


def reply(asked, records=b"", answers=0, flags=0x8180, extra=b"", extras=0):
    """What a server says to what it was asked."""
    end = asked.index(b"\0", 12) + 5
    return asked[:2] + struct.pack("!5H", flags, 1, answers, 0, extras) + asked[12:end] + records + extra


def small(message):
    """With the question in small letters."""
    end = message.index(b"\0", 12)
    return message[:12] + message[12:end].lower() + message[end:]


def ask(stage, message, host=None, sport=40000):
    """A host asks: the router's own datagrams to the server, and what it answered at once. What it asks again,
    as it has had no answer for a while, and what is about other names, is left out."""
    seen = stage.put(host or stage.a, udp(host or stage.a, sport, ROUTER, 53, message))
    return ([p for p in udp_of(stage, seen) if payload(p)[12:].lower() == message[12:].lower()],
            [p for p in seen.inside if UDP in p])


def udp_of(stage, seen):
    """The router's own questions that have not been there before."""
    found = {(p[UDP].sport, payload(p)[:2]): p for p in seen.outside if UDP in p and p[UDP].dport == 53}
    new = [p for key, p in found.items() if key not in stage.asked]
    stage.asked.update(found)
    return new


def answer(stage, relayed, message, source=SERVER):
    """The server answers: what hosts get of it."""
    seen = stage.put(stage.gateway, udp(source, 53, UPLINK, relayed[UDP].sport, message))
    return [payload(p) for p in seen.inside if UDP in p]


@requirement("N1", "RFC 5452 s. 4, 9")
def test_ids_and_ports_are_spread_and_only_a_match_counts(stage):
    """100 questions use as many ports and identifiers; an answer that is wrong in one thing is none."""
    pairs = set()
    for number in range(100):
        relayed = only(ask(stage, query(f"n{number}.spread.example", number))[0])
        asked = payload(relayed)
        pairs.add((relayed[UDP].sport, asked[:2]))
        if number % 10 == 0:
            right = reply(asked, record("192.0.2.66"), 1)
            wrong = [bytes([right[0] ^ 1]) + right[1:], right[:13] + b"x" + right[14:], right[:5] + b"\2" + right[6:]]
            assert not any(answer(stage, relayed, message) for message in wrong)
            assert not answer(stage, relayed, right, FAR)
        assert only(answer(stage, relayed, reply(asked, record("192.0.2.1"), 1)))[:2] == struct.pack("!H", number)
    assert len({port for port, _ in pairs}) >= 98 and len({ident for _, ident in pairs}) >= 98


@requirement("N1", "draft-vixie-dnsext-dns0x20")
def test_letters_are_of_random_case(stage):
    """Each letter of a question is of either case; the host has its own back. An answer with others is not believed: the
    question goes out again, from another port, and then what comes is."""
    name, capitals = "abcdefghijklmnop.example", set()
    for number in range(20):
        message = query(f"{number:02}{name}".title(), 300 + number)
        relayed = only(ask(stage, message)[0])
        asked = payload(relayed)
        assert asked[12:].lower() == message[12:].lower()
        capitals.add(asked[12:])
        assert only(answer(stage, relayed, reply(asked, record("192.0.2.1"), 1)))[12:len(message)] == message[12:]
    assert len(capitals) == 20
    message = query("no-letters.example", 320)
    relayed = only(ask(stage, message)[0])
    lost = small(reply(payload(relayed), record("192.0.2.66"), 1))
    seen = stage.put(stage.gateway, udp(SERVER, 53, UPLINK, relayed[UDP].sport, lost))
    again = only(udp_of(stage, seen))
    assert again[UDP].sport != relayed[UDP].sport
    assert not [p for p in seen.inside if UDP in p] and payload(again)[:2] != payload(relayed)[:2]
    assert not answer(stage, relayed, lost)
    got = only(answer(stage, again, small(reply(payload(again), record("192.0.2.1"), 1))))
    assert got[:2] + got[12:len(message)] == message[:2] + message[12:] and got[-4:] == bytes([192, 0, 2, 1])


@requirement("N2", "RFC 5452 s. 5")
def test_one_question_is_asked_few_times(stage):
    """The same question in 60 spellings, from two hosts: no more than four are under way."""
    name = "birthday.example"
    relayed = []
    for number in range(60):
        spelling = "".join(c.upper() if number >> i & 1 else c for i, c in enumerate(name[:8])) + name[8:]
        host = stage.lan[number % 2]
        relayed += ask(stage, query(spelling, number), host, 41000 + number)[0]
    assert 1 <= len(relayed) <= 4
    for packet in relayed:
        assert answer(stage, packet, reply(payload(packet), record("192.0.2.1"), 1))


@requirement("N3", "RFC 5625 s. 4")
def test_what_nobody_knows_passes(stage):
    """Unknown types, the bits AD, CD and DO, an EDNS option and version nobody knows, there and back."""
    for number, (kind, flags, extra) in enumerate([
            (TYPE_ANYTHING, 0x0100, b""), (A, 0x0130, opt(flags=0x8000)), (A, 0x0100, opt(options=b"\xfd\xe9\0\3abc")),
            (A, 0x0100, opt(flags=0x10000)), (A, 0x2100, b"")]):
        message = query("odd.example", 500 + number, kind, flags, extra, bool(extra))
        relayed = only(ask(stage, message)[0])
        assert payload(relayed)[2:].lower() == message[2:].lower()
        back = reply(payload(relayed), flags=0x8180 | flags & 0x7830, extra=extra, extras=bool(extra))
        got = only(answer(stage, relayed, back))
        assert got == message[:2] + back[2:12] + message[12:len(message) - len(extra)] + extra


@requirement("N3", "RFC 5625 s. 4.4, RFC 6891 s. 6.2.5")
def test_large_answers(stage):
    """1,200 bytes for who can take them; the same for who cannot is an answer that says so; TC passes. A server is told of
    1,232 bytes at most, and of fewer if the host says so: what is longer would come in fragments, which are easily forged."""
    for size, told in [(4096, 1232), (1233, 1232), (1232, 1232), (800, 800)]:
        name = f"size{size}.example"
        seen = stage.put(stage.a, udp(stage.a, 40000, ROUTER, 53, query(name, 602, extra=opt(size), extras=1)))
        relayed = [payload(p) for p in udp_of(stage, seen)]
        assert [m[-len(opt()):] for m in relayed if m[12:].lower().startswith(encode(name))] == [opt(told)]
    for number, (extra, cut) in enumerate([(opt(), False), (b"", True)]):
        relayed = only(ask(stage, query(f"large{number}.example", 600, extra=extra, extras=bool(extra)))[0])
        back = reply(payload(relayed), record("192.0.2.1") * 70, 70, extra=extra, extras=bool(extra))
        got = only(answer(stage, relayed, back))
        assert len(got) <= (1232 if extra else 512) and bool(got[2] & 2) == cut
        assert cut or len(got) == len(back) > 1100
    relayed = only(ask(stage, query("cut.example", 601))[0])
    assert only(answer(stage, relayed, reply(payload(relayed), flags=0x8380)))[2] & 2


class Peer:
    """One end of a TCP connection with the router, by hand."""

    def __init__(self, stage, host, near, far):
        self.stage, self.host, self.near, self.far = stage, host, near, far  # near, far: address and port
        self.seq, self.ack = 1000, 0

    def put(self, flags, data=b"", **wrong):
        """Sends a segment, which wrong makes another's; returns what came of it."""
        fields = {"src": self.near[0], "sport": self.near[1], "dport": self.far[1], **wrong}
        seen = self.stage.put(self.host, IP(src=fields.pop("src"), dst=self.far[0]) /
                              TCP(flags=flags, seq=self.seq, ack=self.ack, **fields) / data)
        self.seq += 0 if wrong else len(data) + ("S" in flags)
        return seen

    def segments(self, seen):
        """Those to us; what they say is acknowledged from now on."""
        found = [p for p in seen.outside + seen.inside if TCP in p and p[IP].dst == self.near[0] and p[TCP].dport == self.near[1]]
        for p in found:
            length = len(payload(p)) + (1 if p[TCP].flags & 3 else 0)
            self.ack = p[TCP].seq + length if length else self.ack
        return found

    def stream(self, seen):
        """The bytes in them."""
        return b"".join(payload(p) for p in self.segments(seen))


def open_to_router(stage, sport):
    """A host's connection to the resolver."""
    host = Peer(stage, stage.a, (stage.a.ip, sport), (ROUTER, 53))
    assert only(host.segments(host.put("S")))[TCP].flags == "SA"
    return host


def framed(message):
    """A message as a stream has it."""
    return struct.pack("!H", len(message)) + message


@requirement("N3", "RFC 5625 s. 4.4, RFC 7766 s. 5, 6.2.1.1, 8")
def test_tcp(stage):
    """Two questions in one segment, and one in three: each is relayed, and answered when its answer comes."""
    host = open_to_router(stage, 42000)
    relayed = udp_of(stage, host.put("PA", framed(query("tcp0.example", 0)) + framed(query("tcp1.example", 1))))
    assert len(relayed) == 2
    for ident, packet in ((1, relayed[1]), (0, relayed[0])):
        back = reply(payload(packet), record("192.0.2.1"), 1)
        got = host.stream(stage.put(stage.gateway, udp(SERVER, 53, UPLINK, packet[UDP].sport, back)))
        assert got == framed(struct.pack("!H", ident) + got[4:]) and got[-4:] == bytes([192, 0, 2, 1])
    message = framed(query("tcp2.example", 2))
    assert [len(udp_of(stage, host.put("PA", piece))) for piece in (message[:1], message[1:9], message[9:])] == [0, 0, 1]
    host.put("RA")


@requirement("N3", "RFC 7766 s. 5, RFC 5452 s. 9.2")
def test_what_was_cut_is_fetched_by_tcp(stage):
    """A server's answer that was cut: the router asks it by TCP, from a port that nobody foresees, and nobody else gets a
    word in; the host has all of 3,000 bytes."""
    ports = set()
    for number in range(5):
        host = open_to_router(stage, 43000 + number)
        relayed = only(udp_of(stage, host.put("PA", framed(query(f"more{number}.example", 9)))))
        seen = stage.put(stage.gateway, udp(SERVER, 53, UPLINK, relayed[UDP].sport, reply(payload(relayed), flags=0x8380)))
        syn = only([p for p in seen.outside if TCP in p])
        assert (syn[IP].dst, syn[TCP].dport, syn[TCP].flags) == (SERVER, 53, "S")
        ports.add(syn[TCP].sport)
        server = Peer(stage, stage.gateway, (SERVER, 53), (UPLINK, syn[TCP].sport))
        server.ack = syn[TCP].seq + 1
        for wrong in ({"src": FAR}, {"sport": 54}, {"dport": syn[TCP].sport ^ 1}):
            back = [p[TCP] for p in server.put("SA", **wrong).outside if TCP in p]
            again = [t for t in back if (t.flags, t.sport, t.seq) == ("S", syn[TCP].sport, syn[TCP].seq)]
            assert back == again, f"{wrong}: nothing but the SYN, which nobody has answered yet"
        asked = server.stream(server.put("SA"))
        assert asked == framed(payload(relayed))
        back = framed(reply(asked[2:], record("192.0.2.1") * 180, 180))
        got = b"".join(host.stream(server.put("PA", back[at:at + 1000])) for at in range(0, len(back), 1000))
        assert not [p for p in server.put("A").outside if TCP in p], "the connection is over, and nobody answers"
        while len(got) < len(back):
            more = host.stream(host.put("A"))
            assert more, f"{len(got)} of {len(back)}"
            got += more
        assert got[:4] == back[:2] + b"\0\x09" and got[4:14] == back[4:14] and got[-2880:] == back[-2880:]
        host.put("RA")
    assert len(ports) == 5


@requirement("N4", "RFC 5625 s. 6.2")
def test_nobody_outside_is_answered(stage):
    """A question from outside, to port 53 and to one that waits for an answer: not a byte comes back."""
    relayed = only(ask(stage, query("waiting.example", 700))[0])
    for port in (53, relayed[UDP].sport):
        for source in (FAR, SERVER):
            seen = stage.put(stage.gateway, udp(source, 53000, UPLINK, port, query("web.lan", 1)),
                             IP(src=source, dst=UPLINK) / TCP(sport=53000, dport=53, flags="S"))
            assert not udp_of(stage, seen) and not [p for p in seen.outside if ICMP in p or TCP in p], seen
            assert not [p for p in seen.outside if UDP in p and p[UDP].dport != 53], seen
    assert answer(stage, relayed, reply(payload(relayed), record("192.0.2.1"), 1))


@requirement("N4", "rebinding")
def test_no_answer_leads_inside(stage):
    """Addresses of the LAN, of the router and of the host itself, alone and among good ones: the host is told that there
    are none; where dnsprivate= allows it, they pass."""
    for number, bad in enumerate(["192.168.8.11", "10.1.2.3", "127.0.0.1", "0.0.0.0", "169.254.1.1", UPLINK]):
        for records, count in ((record(bad), 1), (record("192.0.2.1") + record(bad), 2)):
            relayed = only(ask(stage, query(f"evil{number}{count}.example", 800 + number))[0])
            got = only(answer(stage, relayed, reply(payload(relayed), records, count)))
            assert (got[3] & 15, struct.unpack("!H", got[6:8])[0]) == (NOERROR, 0), bad
    relayed = only(ask(stage, query("nas.home.example", 900))[0])
    assert only(answer(stage, relayed, reply(payload(relayed), record("192.168.8.11"), 1)))[-4:] == bytes([192, 168, 8, 11])
    assert stage.router.wait_for(r"evil\d+\.example leads to an address inside")


@requirement("N5", "RFC 9267")
def test_names_that_go_round(stage):
    """Pointers in questions, labels and names that are too long, pointers forward and to themselves in answers."""
    head = struct.pack("!6H", 9, 0x0100, 1, 0, 0, 0)
    for name in (b"\xc0\x0c", b"\1a\xc0\x0c", b"\xc0\x20", b"\x40" + b"a" * 64 + b"\0", (b"\x3f" + b"a" * 63) * 4 + b"\0",
                 b"\x3f" + b"a" * 5):
        relayed, got = ask(stage, head + name + struct.pack("!HH", A, 1))
        assert not relayed and payload(only(got))[3] & 15 == FORMERR, name
    for number, name in enumerate((b"\xc0\xff", b"\xc0\x1f", b"\x3f", b"\xff\xff", b"\xc0\0")):
        relayed = only(ask(stage, query(f"round{number}.example", 950 + number))[0])
        asked = payload(relayed)
        got = answer(stage, relayed, reply(asked, name + struct.pack("!HHIH", A, 1, 60, 4) + b"\xc0\0\2\1", 1))
        assert only(got)[3] & 15 == SERVFAIL, name
