# SPDX-License-Identifier: BSD-3-Clause
"""DNS over TCP with dig and with sockets of ours: long answers, pipelines, and who would keep connections from others.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp] DNS, by UDP and TCP
    [lan2] eth0 ---- port 2 [        ]                  nobody at 203.0.113.200
    [lan3] eth0 ---- port 3 [        ]   a network whose hosts are told of another resolver
"""

import contextlib
import errno
import random
import re
import socket
import struct
import threading
import time

import pytest
from scapy.all import IP, TCP, Ether, raw

from lab.clients import lease_by
from lab.home import ROUTER, Home, host_mac
from lab.outside import GATEWAY, wait_until
from lab.talk import connect

LONG, HUGE = 15, 230  # records
IDLE_S, PER_HOST = 10, 4
CONFIG = (f"hostname=gate host={host_mac(1)},192.168.8.20,web host={host_mac(2)},192.168.8.21 "
          "net=lan,nat,ip=192.168.8.1/24,ports=1+2 net=mute,hostonly,ip=192.168.9.1/24,ports=3,dns=192.168.9.5 "
          "dnsfwd=corp.example:192.168.8.21 dnsfwd=dead.example:203.0.113.200")
SERVFAIL = 2


def texts(name, count, length):
    """Records of a name, for dnsmasq."""
    return [f"--txt-record={name},{number:0{length}}" for number in range(count)]


@pytest.fixture(scope="module", name="home")
def fixture_home():
    """A router whose server outside has names with 3,000 and with 60,000 bytes to them."""
    with Home(hosts=3, config=CONFIG, upstream=False, web=False, leases=False) as made:
        made.outside.start_isp(extra=texts("long.example", LONG, 200) + texts("huge.example", HUGE, 250))
        for host in made.hosts:
            lease_by("udhcpc", host)
        yield made


def dig(host, *words):
    """What dig says; one try."""
    return host.run("dig", f"@{ROUTER}", "+tries=1", "+time=10", "+nocookie", *words).stdout


def is_served(host):
    """Whether dig has its answer by TCP, in one try."""
    return "NOERROR" in host.run("dig", f"@{ROUTER}", "+tcp", "+tries=1", "+time=2", "files.example", check=False).stdout


def question(ident, name, kind=1):
    """A question as it goes through a stream."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    message = struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!HH", kind, 1)
    return struct.pack("!H", len(message)) + message


def read_answers(sock, count):
    """That many messages from a stream; fewer if it ends before."""
    got, answers = b"", []
    while len(answers) < count:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            break
        got += piece
        while len(got) >= 2 and len(got) >= 2 + struct.unpack("!H", got[:2])[0]:
            length = struct.unpack("!H", got[:2])[0]
            answers.append(got[2:2 + length])
            got = got[2 + length:]
    return answers


def ident_of(answer):
    """The id of a message."""
    return struct.unpack("!H", answer[:2])[0]


def status(home):
    """What the status says of hosts' connections."""
    line = re.search(r"dns tcp .*", home.router.status().text).group(0)
    return {word: int(number) for word, number in re.findall(r"  (\S[a-z ]*?) (\d+)", line)}


def test_long_answers_are_fetched_by_tcp(home):
    """By UDP dig is told that there is more, comes back by TCP and has it all, and so does who asks by TCP at once."""
    assert re.search(r"flags:[^;]* tc", dig(home.hosts[0], "long.example", "TXT", "+ignore"))
    for host, words in ((home.hosts[0], []), (home.hosts[1], ["+tcp"])):
        said = dig(host, "long.example", "TXT", *words)
        assert "status: NOERROR" in said and f"ANSWER: {LONG}," in said, said
        assert ("retrying in TCP" in said) == (not words) and "(TCP)" in said
        assert all(f'"{number:0200}"' in said for number in range(LONG))
    said = dig(home.hosts[0], "huge.example", "TXT", "+tcp")
    assert f"ANSWER: {HUGE}," in said and int(re.search(r"rcvd: (\d+)", said).group(1)) > 60000


def test_a_server_inside_is_asked_by_tcp_too(home):
    """The server of dnsfwd= on the LAN, whose answer does not fit a datagram."""
    home.hosts[1].spawn("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
                        "--group=", "--pid-file=", "--local=/#/", *texts("long.corp.example", LONG, 200))
    wait_until(lambda: not isinstance(connect(home.hosts[0], "192.168.8.21", 53), int), 10, "dnsmasq has started")
    said = dig(home.hosts[0], "long.corp.example", "TXT")
    assert f"ANSWER: {LONG}," in said and "(TCP)" in said, said


def test_one_connection_for_many(home):
    """dig asks three names by one connection; a pipeline of 30, cut anywhere, has each question answered once."""
    before = status(home)["opened"]
    said = dig(home.hosts[0], "+tcp", "+keepopen", "files.example", "web.lan", "other.example")
    assert said.count("status: NOERROR") == 3
    assert status(home)["opened"] == before + 1
    names = ["gate.lan", "web", "files.example", "other.example", "isp.example", "nobody.lan"]
    sock = connect(home.hosts[0], ROUTER, 53)
    with sock:
        data = b"".join(question(number, names[number % len(names)]) for number in range(30))
        while data:
            piece = random.randint(1, 60)
            sock.sendall(data[:piece])
            data = data[piece:]
        answers = read_answers(sock, 30)
        assert sorted(map(ident_of, answers)) == list(range(30))
        sock.shutdown(socket.SHUT_WR)
        assert not read_answers(sock, 1)


def test_answers_come_as_they_are_known(home):
    """What takes long does not keep the rest waiting, and is over within 4.5 s; a host that has said all it will is
    still answered."""
    sock = connect(home.hosts[0], ROUTER, 53)
    with sock:
        begin = time.monotonic()
        sock.settimeout(10)
        sock.sendall(question(1, "a.dead.example") + question(2, "files.example") + question(3, "web.lan"))
        sock.shutdown(socket.SHUT_WR)
        first = read_answers(sock, 2)
        assert {ident_of(answer) for answer in first} == {2, 3} and time.monotonic() - begin < 2
        last = read_answers(sock, 1)
        assert ident_of(last[0]) == 1 and last[0][3] & 15 == SERVFAIL and time.monotonic() - begin < 4.7
        assert not read_answers(sock, 1)


def test_what_is_no_question_ends_it(home):
    """A message of no length, one too long, an answer, and TLS."""
    answer = bytearray(question(1, "files.example"))
    answer[4] |= 0x80
    for data in (b"\0\0", b"\2\1" + bytes(100), bytes(answer), b"\x16\3\1\2\0\1\0"):
        with connect(home.hosts[0], ROUTER, 53) as sock:
            begin = time.monotonic()
            sock.sendall(data)
            sock.settimeout(5)
            assert not read_answers(sock, 1) and time.monotonic() - begin < 2, data


def test_nothing_undone_lasts(home):
    """Who says nothing, who never ends a question, and who does not read its answers: over after ten seconds, while
    others are served."""
    silent, slow, deaf = (connect(home.hosts[0], ROUTER, 53) for _ in range(3))
    with silent, slow, deaf:
        begin = time.monotonic()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"".join(question(number, "huge.example", 16) for number in range(8)))
        data = question(1, "a" * 30 + ".example")
        ended = {}
        while len(ended) < 2 and time.monotonic() - begin < 20:
            for name, sock in (("silent", silent), ("slow", slow)):
                sock.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    assert not read_answers(sock, 1)
                    ended.setdefault(name, time.monotonic() - begin)
            with contextlib.suppress(OSError):
                slow.sendall(data[:1])
                data = data[1:]
            assert "NOERROR" in dig(home.hosts[1], "+tcp", "web.lan")
        assert sorted(ended) == ["silent", "slow"]
        assert all(IDLE_S - 1 < took < IDLE_S + 3 for took in ended.values()), ended
        wait_until(lambda: status(home)["open"] == 0, 5, "the one that does not read is gone")


def test_a_host_has_its_share(home):
    """One host opens forty connections and leaves each with half a question: four of them live, and the other is
    served. Its idle ones go for new ones; busy ones stay, and one more is refused."""
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            sock = stack.enter_context(connect(home.hosts[0], ROUTER, 53))
            sock.sendall(b"\0")
        assert status(home)["open"] == PER_HOST
        assert "NOERROR" in dig(home.hosts[1], "+tcp", "files.example")
    wait_until(lambda: status(home)["open"] == 0, 5, "they are gone")
    with contextlib.ExitStack() as stack:
        for number in range(PER_HOST):
            sock = stack.enter_context(connect(home.hosts[0], ROUTER, 53))
            sock.sendall(question(number, f"n{number}.dead.example"))
        time.sleep(0.2)
        assert connect(home.hosts[0], ROUTER, 53) == errno.ECONNREFUSED
        assert "NOERROR" in dig(home.hosts[1], "+tcp", "files.example")


def test_syns_keep_nobody_out(home):
    """Three thousand SYNs with addresses of nobody, and as many with its own: another host is served soon, though the
    flood's tail may end its handshake, and the sender when it has stopped."""
    line = home.hosts[0].frames()
    home.hosts[0].run("ping", "-c", 1, ROUTER)
    mac = neighbor(home.hosts[0], ROUTER)
    with line:
        for number in range(6000):
            source = f"192.168.8.{30 + number % 60}" if number % 2 else "192.168.8.20"
            line.send(raw(Ether(src=host_mac(1), dst=mac) / IP(src=source, dst=ROUTER) /
                          TCP(sport=1024 + number, dport=53, flags="S", seq=number)))
            if number % 1000 == 999:
                wait_until(lambda: is_served(home.hosts[1]), 10, "another host is served")
    assert status(home)["refused"] > 1000
    wait_until(lambda: is_served(home.hosts[0]), 30, "the sender is served again")


def neighbor(host, address):
    """The MAC that a host knows of an address."""
    return re.search(r"lladdr (\S+)", host.run("ip", "neigh", "show", address).stdout).group(1)


def test_where_the_router_is_no_resolver(home):
    """Port 53 of a network without one is as closed as any other; and of another network's address nobody answers."""
    assert connect(home.hosts[2], "192.168.9.1", 53) == errno.ECONNREFUSED
    assert connect(home.hosts[2], "192.168.9.1", 54) == errno.ECONNREFUSED
    assert isinstance(connect(home.hosts[2], ROUTER, 53, 2), int)
    assert isinstance(connect(home.hosts[0], "192.168.9.1", 53, 2), int)


class Stub:
    """A server outside whose answers by UDP are all cut, and which does by TCP what the name says."""

    def __init__(self, host):
        self._udp = host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((GATEWAY, 53))
        self._tcp = None
        threading.Thread(target=self._answer_udp, daemon=True).start()

    def listen(self, host):
        """From now on TCP is not refused."""
        self._tcp = host.inside(socket.create_server, (GATEWAY, 53))
        threading.Thread(target=self._answer_tcp, daemon=True).start()

    def close(self):
        """Ends it."""
        for sock in filter(None, (self._udp, self._tcp)):
            sock.shutdown(socket.SHUT_RDWR) if sock is self._tcp else None
            sock.close()

    def _answer_udp(self):
        with contextlib.suppress(OSError):
            while True:
                asked, sender = self._udp.recvfrom(4096)
                self._udp.sendto(asked[:2] + b"\x83\x80" + asked[4:10] + b"\0\0" + asked[12:asked.index(b"\0", 12) + 5], sender)

    def _answer_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._tcp.accept()[0],), daemon=True).start()

    @staticmethod
    def _serve(sock):
        with sock, contextlib.suppress(OSError):
            asked = sock.recv(4096)[2:]
            end = asked.index(b"\0", 12) + 5
            how = asked[13:13 + asked[12]].decode().lower()
            records = b"".join(struct.pack("!HHHIHB", 0xC00C, 16, 1, 60, 201, 200) + b"%0200d" % number for number in range(LONG))
            answer = asked[:2] + b"\x81\x80" + struct.pack("!4H", 1, LONG, 0, 0) + asked[12:end] + records
            if how == "wrong":
                answer = bytes([answer[0] ^ 1]) + answer[1:]
            data = struct.pack("!H", len(answer)) + answer
            if how == "half":
                sock.sendall(data[:1500])
            elif how == "empty":
                sock.sendall(b"\0\0")
            elif how == "slow":
                for piece in (data[:1], data[1:2], data[2:700], data[700:]):
                    sock.sendall(piece)
                    time.sleep(0.2)
            elif how == "silent":
                sock.recv(1)
            else:
                sock.sendall(data + b"and more")


def test_servers_that_fail_by_tcp():
    """A server that refuses, says nothing, half of it or something else: SERVFAIL in time. Slowly, or with something
    behind it, is whole."""
    with Home(config="hostname=gate", upstream=False, web=False, leases=False) as home:
        home.outside.start_isp(extra=["--port=0"])
        host = home.hosts[0]
        with contextlib.closing(Stub(home.outside.host)) as stub:
            lease_by("udhcpc", host)
            for how, works in (("refused", False), ("half", False), ("silent", False), ("wrong", False), ("empty", False),
                               ("slow", True), ("more", True)):
                if how == "half":
                    stub.listen(home.outside.host)
                begin = time.monotonic()
                said = dig(host, "+tcp", f"{how}.stub.example", "TXT")
                took = time.monotonic() - begin
                assert ("NOERROR" if works else "SERVFAIL") in said and took < 4.8, (how, took, said)
                assert not works or f"ANSWER: {LONG}," in said
        text = home.router.status().text
        assert re.search(r"dns +by TCP: asked 7  failed 5", text), text
