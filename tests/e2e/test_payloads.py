# SPDX-License-Identifier: BSD-3-Clause
"""No payload is rewritten, and none opens anything: what names addresses and ports in its payload passes as it is, and
the ports that it names stay closed (NAT slipstreaming). In frames, and then with real programs: passive FTP, and SIP's
way with STUN.

    [a] 192.168.8.10 ---- port 1 [        ]
    [b] 192.168.8.11 ---- port 2 [ router ] port 0 203.0.113.2 ---- 203.0.113.1 [gateway] everybody outside
"""

import contextlib
import os
import socket
import struct
import sys
import threading

import pytest
from scapy.all import GRE, IP, TCP, UDP, Raw, fragment, raw

from lab import outside as lab_outside
from lab.home import Home, host_mac
from lab.outside import GATEWAY, SERVER
from lab.requirements import requirement
from lab.talk import connect
from lab.wires import FAR, FARTHER, UPLINK, Stage, only, payload, sums_are_right, udp

INSIDE = "192.168.8.10"
NAMED = 49170  # the port that payloads name; PORT and the like have it as 192,18


def sip(method, transport, length=0):
    """A request whose every address is that of the host inside."""
    body = (f"v=0\r\no=a 1 1 IN IP4 {INSIDE}\r\ns=-\r\nc=IN IP4 {INSIDE}\r\nt=0 0\r\nm=audio {NAMED} RTP/AVP 0\r\n"
            f"a=rtcp:{NAMED + 1}\r\n") if method == "INVITE" else ""
    text = (f"{method} sip:b@{FAR} SIP/2.0\r\nVia: SIP/2.0/{transport} {INSIDE}:{NAMED};branch=z9hG4bK1;rport\r\n"
            f"From: <sip:a@{INSIDE}>;tag=1\r\nTo: <sip:b@{FAR}>\r\nCall-ID: 1@{INSIDE}\r\nCSeq: 1 {method}\r\n"
            f"Contact: <sip:a@{INSIDE}:{NAMED};transport={transport.lower()}>\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}")
    return text.encode().ljust(length, b"x")


def address_bytes(address=INSIDE):
    """An address as binary protocols have it."""
    return socket.inet_aton(address)


COMMA = INSIDE.replace(".", ",") + f",{NAMED >> 8},{NAMED & 255}"
# A call: TPKT, Q.931 setup with a source call signalling address; and RAS with a transport address.
H225 = (bytes.fromhex("080200010504038893a57e001e052080060008914a0004") + address_bytes() + struct.pack("!H", NAMED))
H323 = struct.pack("!BBH", 3, 0, 4 + len(H225)) + H225
RAS = b"\x0e\xc0\x00\x04\x06\x00\x08\x91\x4a\x00\x04\x01\x00" + address_bytes() + struct.pack("!H", NAMED)
# An outgoing call request (RFC 2637), whose call ID a helper would expect GRE for.
PPTP = struct.pack("!HHIHHHHIIIIHHHH128x", 168, 1, 0x1A2B3C4D, 7, 0, NAMED, 1, 300, 10 ** 8, 3, 3, 64, 0, 0, 0)
# (name, protocol, port, what is sent there, what comes back)
TALKS = [
    ("SIP-udp", UDP, 5060, [sip("REGISTER", "UDP"), sip("INVITE", "UDP")], [sip("INVITE", "UDP")]),
    ("SIP-tcp", TCP, 5060, [sip("REGISTER", "TCP"), sip("INVITE", "TCP")], [sip("INVITE", "TCP")]),
    ("FTP", TCP, 21, [f"PORT {COMMA}\r\n".encode(), f"EPRT |1|{INSIDE}|{NAMED}|\r\n".encode()],
     [f"227 Entering Passive Mode ({COMMA}).\r\n".encode(),
      f"229 Entering Extended Passive Mode (|||{NAMED}|)\r\n".encode()]),
    ("IRC", TCP, 6667, [b"PRIVMSG b :\x01DCC SEND f %d %d 9\x01\r\n" % (*struct.unpack("!I", address_bytes()), NAMED)],
     [b":b PRIVMSG a :\x01DCC CHAT chat %d %d\x01\r\n" % (*struct.unpack("!I", address_bytes()), NAMED)]),
    ("H323", TCP, 1720, [H323], [H323[::-1]]),
    ("RAS", UDP, 1719, [RAS], [RAS]),
    ("PPTP", TCP, 1723, [PPTP], [PPTP]),
    ("TFTP", UDP, 69, [b"\0\1file\0octet\0"], [b"\0\5\0\1no\0"]),
    ("NAT-PMP", UDP, 5351, [struct.pack("!BBHHHI", 0, 2, 0, NAMED, NAMED, 3600)], [b"\0\0"]),
]
IDS = [row[0] for row in TALKS]


@pytest.fixture(scope="module", name="stage")
def fixture_stage():
    """One router for all frames; a serves the ports of the talks, by forwards."""
    forwards = " ".join(f"fwd={'tcp' if l4 is TCP else 'udp'}:{port}:{INSIDE}" for _, l4, port, _, _ in TALKS)
    with Stage(forwards) as made:
        yield made
        made.status().check_sum()


def flows(stage):
    """How many flows there are."""
    return int(stage.status().text.split("flows ")[1].split()[0])


def nothing_opened(stage):
    """Whether the named ports are closed to strangers and to the other end, in both protocols, and GRE too."""
    packets = [IP(src=source, dst=UPLINK) / l4
               for source in (FAR, FARTHER) for port in (NAMED, NAMED + 1)
               for l4 in (TCP(sport=20, dport=port, flags="S"), UDP(sport=20, dport=port) / b"x")]
    packets += [IP(src=source, dst=UPLINK) / GRE(key_present=1, key=NAMED, proto=0x880B) for source in (FAR, FARTHER)]
    seen = stage.put(stage.gateway, *packets)
    return not seen.inside


class Talk:
    """A conversation between two ends, of which put() carries each packet and looks at what arrives."""

    def __init__(self, stage, l4, client, server, sport, dport, called):
        self.stage, self.l4, self.client, self.server = stage, l4, client, server
        self.sport, self.dport, self.called = sport, dport, called
        self.seen_client = None
        self.seq = [1000, 5000]

    def send(self, data, from_client=True, flags="PA"):
        """Sends data; it arrives bit by bit as it was sent, alone, with right checksums."""
        host, other = (self.client, self.server) if from_client else (self.server, self.client)
        if from_client:
            target, sport, dport = self.called, self.sport, self.dport
        else:
            (target, dport), sport = self.seen_client, self.dport
        mine, theirs = (0, 1) if from_client else (1, 0)
        header = UDP(sport=sport, dport=dport) if self.l4 is UDP else \
            TCP(sport=sport, dport=dport, flags=flags, seq=self.seq[mine], ack=self.seq[theirs] if "A" in flags else 0)
        got = only(self.stage.put(host, IP(src=host.ip, dst=target) / header / Raw(data)).packets[other.line.number])
        assert payload(got) == data, (payload(got), data)
        sums_are_right(got)
        self.seq[mine] += len(data) + (flags in ("S", "SA"))
        if from_client:
            self.seen_client = (got.src, got.sport)
        return got

    def open(self):
        """The handshake."""
        if self.l4 is TCP:
            self.send(b"", flags="S")
            self.send(b"", from_client=False, flags="SA")
            self.send(b"", flags="A")

    def run(self, there, back):
        """All of it; nothing but the flows of the conversation itself comes of it."""
        self.open()
        if self.l4 is UDP:
            self.send(b"first")
        count = flows(self.stage)
        for data in there:
            self.send(data)
        for data in back:
            self.send(data, from_client=False)
        for data in there:
            self.send(data)
        assert flows(self.stage) == count
        assert nothing_opened(self.stage)


class Far:
    """A host outside, on the gateway's line."""

    def __init__(self, stage, ip):
        self.line, self.mac, self.ip = stage.gateway.line, stage.gateway.mac, ip


@requirement("U10", "RFC 4787 REQ-10")
@requirement("T6", "RFC 5382 REQ-6")
@requirement("slipstream", "NAT slipstreaming")
@pytest.mark.parametrize("name,l4,port,there,back", TALKS, ids=IDS)
def test_outwards(stage, name, l4, port, there, back):
    """a is the client, the server is outside."""
    Talk(stage, l4, stage.a, Far(stage, FAR), 30000 + IDS.index(name), port, FAR).run(there, back)


@requirement("U10", "RFC 4787 REQ-10")
@requirement("slipstream", "NAT slipstreaming")
@pytest.mark.parametrize("name,l4,port,there,back", TALKS, ids=IDS)
def test_inwards(stage, name, l4, port, there, back):
    """The client is outside, the server is a, behind a forward."""
    Talk(stage, l4, Far(stage, FAR), stage.a, 31000 + IDS.index(name), port, UPLINK).run(there, back)


@requirement("U10", "RFC 4787 REQ-10")
@requirement("slipstream", "NAT slipstreaming")
@pytest.mark.parametrize("name,l4,port,there,back", TALKS, ids=IDS)
def test_hairpinned(stage, name, l4, port, there, back):
    """b calls a's forward."""
    Talk(stage, l4, stage.b, stage.a, 32000 + IDS.index(name), port, UPLINK).run(there, back)


@requirement("slipstream", "NAT slipstreaming")
@pytest.mark.parametrize("port,first", [(5060, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n"),
                                        (80, b""), (21, b"POST /"), (1720, b"POST /")])
def test_slipstreaming_by_segments(stage, port, first):
    """What a browser can be made to send: a form, filled up so that a segment begins as a helper would want it."""
    talk = Talk(stage, TCP, stage.a, Far(stage, FAR), 33000, port, FAR)
    talk.open()
    count = flows(stage)
    talk.send(first.ljust(1448, b"x"))
    for data in (sip("REGISTER", "TCP", 1448), f"PORT {COMMA}\r\n".encode(),
                 f"EPRT |1|{INSIDE}|{NAMED}|\r\n".encode(), H323):
        talk.send(data)
        talk.send(b"SIP/2.0 200 OK\r\nContact: <sip:a@192.168.8.10:%d>\r\n\r\n" % NAMED, from_client=False)
        assert flows(stage) == count
        assert nothing_opened(stage)


@requirement("slipstream", "NAT slipstreaming")
def test_slipstreaming_by_fragments(stage):
    """A datagram so long that its second fragment begins with a REGISTER: it arrives as it was, and opens nothing."""
    data = b"x" * 1472 + sip("REGISTER", "UDP")
    whole = udp(stage.a, 34000, FAR, 5060, data, id=77)
    pieces = stage.put(stage.a, *fragment(whole, 1480)).outside
    assert b"".join(raw(piece.payload) for piece in pieces)[8:] == data
    assert raw(pieces[1].payload).startswith(b"REGISTER sip:")
    assert nothing_opened(stage)


# ---- with real programs ----

FTP = os.path.join(os.path.dirname(lab_outside.__file__), "ftp.py")
PASSIVE = (30000, 30009)
FTP_PORT, ACTIVE_PORT = 2121, 40000


@pytest.fixture(scope="module", name="home")
def fixture_home():
    """Two hosts; the first one's FTP server is published, with the ports of its data connections."""
    with Home(hosts=2, web=False, config=f"host={host_mac(1)},192.168.8.10,one fwd=tcp:{FTP_PORT}:one:21"
              f" fwd=tcp:{PASSIVE[0]}-{PASSIVE[1]}:one") as made:
        yield made
        made.router.status().check_sum()


def ftp_server(host, *passive):
    """Starts an FTP server with one file; returns the file's hash."""
    host.run("sh", "-c", "mkdir -p /run/ftp && head -c 300000 /dev/urandom >/run/ftp/file")
    server = host.spawn(sys.executable, FTP, 21, "/run/ftp", *passive, stdout=-1)
    assert b"listening" in server.stdout.readline()
    return host.run("sha256sum", "/run/ftp/file").stdout.split()[0]


@pytest.fixture(scope="module", name="ftp_outside")
def fixture_ftp_outside(home):
    """The FTP server outside: the hash of its file."""
    return ftp_server(home.outside.server)


def fetch_by_ftp(host, url, *more):
    """Fetches the file; returns its hash."""
    host.run("curl", "-sS", "-m", 20, "-o", "/run/got", *more, url, timeout=30)
    return host.run("sha256sum", "/run/got").stdout.split()[0]


@pytest.mark.parametrize("more", [(), ("--disable-epsv",)], ids=["EPSV", "PASV"])
def test_passive_ftp_out(home, ftp_outside, more):
    """A client inside, a server outside."""
    assert fetch_by_ftp(home.hosts[1], f"ftp://{SERVER}/file", *more) == ftp_outside


def test_passive_ftp_in(home):
    """A server inside that knows the outside address, and whose ports for data are forwarded: in both ways of asking,
    from outside and from the host beside it."""
    address = home.outside.router_address()
    expected = ftp_server(home.hosts[0], address, *PASSIVE)
    for client in (home.outside.host, home.hosts[1]):
        for more in ((), ("--disable-epsv",)):
            assert fetch_by_ftp(client, f"ftp://{address}:{FTP_PORT}/file", *more) == expected


@requirement("slipstream", "NAT slipstreaming")
@pytest.mark.parametrize("more", [(), ("--disable-eprt",)], ids=["EPRT", "PORT"])
def test_active_ftp_fails(home, ftp_outside, more):
    """It takes a helper that reads payloads. The client hears so from its server, and the port it named is closed."""
    assert ftp_outside
    host = home.hosts[1]
    ports = f"eth0:{ACTIVE_PORT}-{ACTIVE_PORT}"
    result = host.run("curl", "-sS", "-m", 10, "-o", "/run/got", "--ftp-port", ports, *more, f"ftp://{SERVER}/file",
                      check=False, timeout=20)
    assert result.returncode in (10, 28, 30), result
    with contextlib.closing(host.inside(socket.create_server, ("0.0.0.0", ACTIVE_PORT))):
        outcome = connect(home.outside.host, home.outside.router_address(), ACTIVE_PORT, 1.0)
        assert isinstance(outcome, int), "the port that was named is open"


STUN_COOKIE = 0x2112A442


@contextlib.contextmanager
def stun_server(host, address, port=3478):
    """As little of RFC 5389 as tells a client its address."""
    sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    sock.settimeout(0.1)
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                request, (ip, sport) = sock.recvfrom(2048)
                mapped = struct.pack("!xBHI", 1, sport ^ STUN_COOKIE >> 16,
                                     struct.unpack("!I", socket.inet_aton(ip))[0] ^ STUN_COOKIE)
                answer = struct.pack("!HH", 0x0101, 12) + request[4:20] + struct.pack("!HH", 0x0020, 8) + mapped
                sock.sendto(answer, (ip, sport))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sock.close()


class Party:
    """A telephone: one socket for its media, whose address it learns by STUN and tells others."""

    def __init__(self, host, port=0):
        self.sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("0.0.0.0", port))
        self.sock.settimeout(5)

    def learn(self):
        """Its address as the STUN server sees it."""
        ident = os.urandom(12)
        self.sock.sendto(struct.pack("!HHI", 1, 0, STUN_COOKIE) + ident, (SERVER, 3478))
        answer = self.sock.recv(2048)
        assert answer[:20] == struct.pack("!HHI", 0x0101, 12, STUN_COOKIE) + ident
        port, ip = struct.unpack_from("!HI", answer, 26)
        return socket.inet_ntoa(struct.pack("!I", ip ^ STUN_COOKIE)), port ^ STUN_COOKIE >> 16

    def hears(self, other, address, words):
        """Whether what the other sends to this address arrives here; and from where."""
        other.sock.sendto(words, address)
        data, source = self.sock.recvfrom(2048)
        assert data == words
        return source


def test_sip_with_stun(home):
    """Three telephones, two of them inside, each of which names in its call the address that STUN has told it: media
    goes both ways between all of them, between those inside by the outside address."""
    with stun_server(home.outside.server, SERVER):
        parties = [Party(home.hosts[0], 16384), Party(home.hosts[1], 16384), Party(home.outside.host, 16384)]
        named = [party.learn() for party in parties[:2]] + [(GATEWAY, 16384)]
        assert {ip for ip, _ in named[:2]} == {home.outside.router_address()}
        assert named[0] != named[1]
        for turn in range(3):
            for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
                source = parties[b].hears(parties[a], named[b], sip("INVITE", "UDP") + bytes([turn, a, b]))
                assert source == named[a], (a, b, source, named)
        for party in parties:
            party.sock.close()
