# SPDX-License-Identifier: BSD-3-Clause
"""NAT: what hosts do with the outside, and what the outside may do with hosts.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10 web, echo
    [lan2] eth0 ---- port 2 [        ]
"""

import contextlib
import errno
import socket
import threading
import time

import pytest

from lab.home import Home, fetch, host_mac
from lab.outside import GATEWAY, SERVER, wait_until
from lab.talk import connect

FILE_MB = 50
CONNECTIONS = 200
IDLE_S = 8
INSIDE = "192.168.8.10"  # of the host that forwards lead to
FORWARDS = (f"host={host_mac(1)},{INSIDE},web fwd=tcp:8080:{INSIDE}:80 fwd=udp:5353:{INSIDE}:7"
            f" fwd=tcp:8443:web:80,from=203.0.113.1/32")


@contextlib.contextmanager
def udp_echo(host, port, address):
    """A UDP echo service on a host; yields the list of addresses it was asked from."""
    sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, port))
    sock.settimeout(0.1)
    seen, stop = [], threading.Event()

    def serve():
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                data, peer = sock.recvfrom(65536)
                seen.append(peer)
                sock.sendto(data, peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
        sock.close()


def udp_socket(host, source_port=0):
    """A UDP socket of a host."""
    sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", source_port))
    sock.settimeout(5)
    return sock


def test_ping_outside(home):
    """Echo requests of two hosts at once are told apart."""
    for host in home.hosts:
        out = host.run("ping", "-c", 5, "-i", 0.2, "-W", 5, SERVER).stdout
        assert " 0% packet loss" in out, out


def test_large_ping_is_fragmented_and_reassembled(home):
    """Fragments pass both ways."""
    out = home.hosts[0].run("ping", "-c", 3, "-i", 0.2, "-W", 5, "-s", 5000, SERVER).stdout
    assert " 0% packet loss" in out, out


def test_server_sees_the_uplink_address(home):
    """The inside address is not seen outside."""
    who = home.hosts[0].run("curl", "-sS", "-m", 20, "http://files.example/who").stdout.split()
    assert who[0] == home.outside.router_address()


def test_download_50_mb(home, say):
    """A file arrives as it was sent."""
    expected = home.outside.make_file("big", FILE_MB)
    seconds, size = fetch(home.hosts[0], "big", "/run/down")
    say(f"{size * 8 / seconds / 1e6:.0f} Mb/s")
    assert size == FILE_MB << 20
    assert home.hosts[0].run("sha256sum", "/run/down").stdout.split()[0] == expected


def test_upload_50_mb(home):
    """And the other way."""
    host = home.hosts[1]
    host.run("dd", "if=/dev/urandom", "of=/run/up", "bs=1M", f"count={FILE_MB}")
    expected = host.run("sha256sum", "/run/up").stdout.split()[0]
    answer = host.run("curl", "-sS", "-f", "-m", 120, "-T", "/run/up", "http://files.example/up",
                      timeout=130).stdout.split()
    assert answer == [expected, str(FILE_MB << 20)]


@pytest.mark.parametrize("name,answer", [("files.example", SERVER), ("isp.example", GATEWAY)])
def test_dig_through_the_router(home, name, answer):
    """The router asks the uplink's server, and hands its answer on."""
    out = home.hosts[0].run("dig", "+time=5", "+tries=1", name).stdout
    assert "status: NOERROR" in out and answer in out, out
    assert "SERVER: 192.168.8.1#53" in out, out


def test_dig_of_a_name_that_is_not(home):
    """An error is handed on too."""
    out = home.hosts[0].run("dig", "+time=5", "+tries=1", "nothing.example").stdout
    assert "status: NXDOMAIN" in out, out


def test_200_parallel_connections(home):
    """All at once, each with its own answer; the server tells their ports apart."""
    host = home.hosts[0]
    host.run("sh", "-c", "rm -f /run/parallel; "
             f"for i in $(seq {CONNECTIONS}); do echo 'url = \"http://files.example/wait/2\"'; "
             "echo 'output = \"/dev/null\"'; done >/run/parallel")
    out = host.run("curl", "-sS", "--http1.1", "--parallel", "--parallel-immediate", "--parallel-max", CONNECTIONS,
                   "-m", 60, "-K", "/run/parallel", "-w", "%{response_code} %{local_port} %{size_download}\\n",
                   timeout=90).stdout.splitlines()
    answers = [line.split() for line in out]
    assert [(code, size) for code, _, size in answers] == [("200", "5")] * CONNECTIONS
    assert len({port for _, port, _ in answers}) == CONNECTIONS, "the connections were not parallel"


def test_idle_connection_survives(home):
    """Nothing is sent for a while, and then the rest arrives. How long it may be: test_conformance_tcp.py."""
    start = time.monotonic()
    out = home.hosts[0].run("curl", "-sS", "-m", IDLE_S + 20, f"http://files.example/wait/{IDLE_S}",
                            timeout=IDLE_S + 30).stdout
    assert out == "done\n"
    assert time.monotonic() - start >= IDLE_S


def test_udp_of_two_hosts_with_one_source_port(home):
    """The same inside port on two hosts is two mappings; each host hears its own answers only."""
    with udp_echo(home.outside.server, 7, SERVER) as seen:
        sockets = [udp_socket(host, 40000) for host in home.hosts]
        for turn in range(50):
            for number, sock in enumerate(sockets):
                sock.sendto(b"%d of %d" % (turn, number), (SERVER, 7))
            for number, sock in enumerate(sockets):
                assert sock.recv(100) == b"%d of %d" % (turn, number)
        for sock in sockets:
            sock.close()
        assert len(set(seen)) == 2 and len({address for address, _ in seen}) == 1, set(seen)


def test_mapping_is_endpoint_independent(home):
    """RFC 4787 REQ-1: one inside port has one outside port, whoever it talks to."""
    endpoints = [(SERVER, 7), (SERVER, 9), (GATEWAY, 7), (GATEWAY, 9)]
    with contextlib.ExitStack() as stack:
        seen = [stack.enter_context(udp_echo(home.outside.server, port, address)) for address, port in endpoints]
        sock = udp_socket(home.hosts[0], 41000)
        for endpoint in endpoints:
            sock.sendto(b"who am I", endpoint)
            assert sock.recv(100) == b"who am I"
        sock.close()
        assert len({peer for peers in seen for peer in peers}) == 1, seen


def test_unsolicited_from_outside_is_dropped_and_counted(home):
    """Nothing inside asked for it, so nothing answers, and the counter says so."""
    address = home.outside.router_address()
    before = home.router.status().drops.get("unsolicited", 0)
    sock = home.outside.host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((address, 54321))
    sock.settimeout(0.5)
    for _ in range(10):
        sock.send(b"hello?")
    with pytest.raises(TimeoutError):
        sock.recv(100)
    sock.close()
    tcp = home.outside.host.inside(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
    tcp.settimeout(1)
    with pytest.raises(TimeoutError):
        tcp.connect((address, 54321))
    tcp.close()
    after = home.router.status().drops["unsolicited"]
    assert after >= before + 11, (before, after)


@pytest.fixture(scope="module", name="published")
def fixture_published():
    """A home whose first host is reserved an address and has forwards."""
    with Home(hosts=1, config=FORWARDS) as made:
        assert made.leases[0].address == INSIDE
        yield made


def test_tcp_forward_keeps_the_client_address(published):
    """fwd=tcp: the host's server is reached from outside and sees who asks."""
    host, outside = published.hosts[0], published.outside
    server = host.inside(socket.create_server, (INSIDE, 80))
    server.settimeout(10)
    for source in (GATEWAY, SERVER):
        client = outside.host.inside(socket.socket)
        client.bind((source, 0))
        client.settimeout(10)
        client.connect((outside.router_address(), 8080))
        accepted, peer = server.accept()
        assert peer == client.getsockname()
        accepted.settimeout(10)
        client.sendall(b"question")
        assert accepted.recv(100) == b"question"
        accepted.sendall(b"answer")
        assert client.recv(100) == b"answer"
        accepted.close()
        assert client.recv(100) == b""
        client.close()
    server.close()


def test_forward_from_one_address_only(published):
    """fwd=...,from= opens it to that source and to no other."""
    host, outside = published.hosts[0], published.outside
    server = host.inside(socket.create_server, (INSIDE, 80))
    client = connect(outside.host, outside.router_address(), 8443, 10, GATEWAY)
    assert not isinstance(client, int), client
    client.close()
    refused = connect(outside.host, outside.router_address(), 8443, 2, SERVER)
    assert refused in (errno.ETIMEDOUT, errno.ECONNREFUSED)
    server.close()


def test_udp_forward(published):
    """fwd=udp: question and answer, with the client's address."""
    host, outside = published.hosts[0], published.outside
    with udp_echo(host, 7, INSIDE) as seen:
        client = outside.host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        client.bind((GATEWAY, 6000))
        client.settimeout(5)
        client.connect((outside.router_address(), 5353))
        for turn in range(20):
            client.send(b"turn %d" % turn)
            assert client.recv(100) == b"turn %d" % turn
        client.close()
        assert set(seen) == {(GATEWAY, 6000)}


def test_counters_add_up(home):
    """Received = sent + delivered + dropped, after all of the above."""
    home.router.status().check_sum()


def test_nat_survives_a_new_lease_of_the_uplink(home):
    """The ISP's server goes away and comes back; traffic goes on meanwhile."""
    home.outside.stop_isp()
    out = home.hosts[0].run("ping", "-c", 3, "-i", 0.2, "-W", 5, SERVER).stdout
    assert " 0% packet loss" in out, out
    home.outside.start_isp()
    wait_until(lambda: SERVER in home.hosts[0].run("dig", "+short", "+time=2", "+tries=1", "files.example",
                                                   check=False).stdout, 20, "names resolve again")
