# SPDX-License-Identifier: BSD-3-Clause
"""ICMP errors as a LAN host sees them: about time to live, unreachable places, and sizes.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- [isp] 203.0.113.1 ---- MTU 1400 ---- [far] 198.51.100.10
"""

import errno
import re
import socket

import pytest

from lab.home import ROUTER, Capture, Home
from lab.outside import GATEWAY, SERVER
from lab.talk import connect

FAR_MTU = 1400
UPLINK_MTU = 1300
UNREACHABLE = "192.0.2.1"  # the ISP has no route to it
PROHIBITED = "192.0.2.129"
IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_MTU = 10, 2, 14


@pytest.fixture(scope="module", name="home")
def fixture_home():
    """A home whose server is one hop behind the ISP, over a link of a smaller MTU."""
    with Home(hosts=1, far=True, far_mtu=FAR_MTU) as made:
        isp = made.outside.host
        isp.ip("route", "add", "unreachable", "192.0.2.0/25")
        isp.ip("route", "add", "prohibit", "192.0.2.128/25")
        # traceroute sends all its probes at once; that is no test of how many wait for an ARP answer.
        made.hosts[0].run("ping", "-c", 1, "-W", 5, SERVER)
        yield made


def hops(host, *options):
    """The addresses traceroute prints, in order."""
    out = host.run("traceroute", "-n", "-q", 1, "-w", 5, "-m", 6, *options, SERVER).stdout
    return re.findall(r"^ *\d+ +(\S+)", out, re.M), out


@pytest.mark.parametrize("options", [(), ("-I",), ("-T", "-p", "80")], ids=["udp", "icmp", "tcp"])
def test_traceroute_sees_every_hop(home, options):
    """The router, the ISP, the server: errors about translated flows find the host that asked."""
    seen, out = hops(home.hosts[0], *options)
    assert seen == [ROUTER, GATEWAY, SERVER], out


def test_time_to_live_runs_out_at_the_router(home):
    """ICMP 11/0 from the router's own LAN address."""
    out = home.hosts[0].run("ping", "-c", 2, "-i", 0.3, "-W", 5, "-t", 1, SERVER, check=False).stdout
    assert f"From {ROUTER}" in out and "Time to live exceeded" in out, out


@pytest.mark.parametrize("address,words", [(UNREACHABLE, "Destination Host Unreachable"),
                                           (PROHIBITED, "Packet filtered")])
def test_unreachable_is_heard_inside(home, address, words):
    """An ISP's ICMP 3 about a ping comes back to the host that sent it."""
    out = home.hosts[0].run("ping", "-c", 4, "-i", 0.5, "-W", 5, address, check=False).stdout
    assert f"From {GATEWAY}" in out and words in out, out


def test_closed_udp_port_is_heard_inside(home):
    """ICMP 3/3 about a UDP flow ends in the socket that sent."""
    sock = home.hosts[0].inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.connect((SERVER, 9999))
    sock.send(b"anyone?")
    with pytest.raises(ConnectionRefusedError):
        sock.recv(100)
    sock.close()


def test_unreachable_tcp_is_heard_inside(home):
    """ICMP 3/1 about a SYN reaches the socket that connects."""
    assert connect(home.hosts[0], UNREACHABLE, 80, 10) == errno.EHOSTUNREACH


def path_mtu(host, server, size):
    """What the host's kernel learns of the path's MTU from datagrams of that size that may not be cut."""
    sock = host.inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    sock.settimeout(3)
    sock.connect((server, 9999))
    for _ in range(10):
        try:
            sock.send(bytes(size))
            sock.recv(10)
        except ConnectionRefusedError:
            break  # it got through, to a closed port
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            break
    mtu = sock.getsockopt(socket.IPPROTO_IP, IP_MTU)
    sock.close()
    return mtu


def test_path_mtu_beyond_the_isp(home):
    """ICMP 3/4 from beyond the router carries its MTU to the host."""
    assert path_mtu(home.hosts[0], SERVER, 1450) == FAR_MTU


def test_tcp_over_the_smaller_path(home):
    """An upload of 5 MB arrives whole over the smaller MTU: what is too big is told, not lost."""
    host = home.hosts[0]
    host.run("dd", "if=/dev/urandom", "of=/run/up", "bs=1M", "count=5")
    expected = host.run("sha256sum", "/run/up").stdout.split()[0]
    answer = host.run("curl", "-sS", "-f", "-m", 60, "-T", "/run/up", "http://files.example/up",
                      timeout=70).stdout.split()
    assert answer == [expected, str(5 << 20)]


@pytest.fixture(scope="module", name="narrow")
def fixture_narrow():
    """A home whose uplink is told to be narrower than its LAN."""
    with Home(hosts=1, config=f"uplink=0,dhcp,mtu={UPLINK_MTU}") as made:
        yield made


def test_too_big_for_the_uplink(narrow):
    """ICMP 3/4 by the router itself."""
    assert path_mtu(narrow.hosts[0], SERVER, 1450) == UPLINK_MTU
    out = narrow.hosts[0].run("ping", "-c", 1, "-W", 5, "-M", "do", "-s", 1460, SERVER, check=False)
    assert f"mtu={UPLINK_MTU}" in (out.stdout + out.stderr).replace(" = ", "="), out.stdout + out.stderr


def test_what_may_be_cut_is_cut(narrow):
    """Without DF the router fragments for the uplink."""
    out = narrow.hosts[0].run("ping", "-c", 3, "-i", 0.2, "-W", 5, "-M", "dont", "-s", 1460, SERVER).stdout
    assert " 0% packet loss" in out, out


def test_mss_is_clamped_to_the_uplink(narrow):
    """The server hears an MSS that fits the uplink, not what the host's own link would carry."""
    with Capture(narrow.outside.host) as capture:
        assert narrow.hosts[0].run("curl", "-sS", "-m", 20, "http://files.example/who").stdout
        syn = capture.wait_for(lambda f: f[12:14] == b"\x08\x00" and f[23] == 6 and f[47] & 0x12 == 0x02)
    assert syn, "no SYN was seen outside"
    options = syn[54:14 + 20 + (syn[46] >> 4) * 4]
    assert options[:4] == b"\x02\x04" + (UPLINK_MTU - 40).to_bytes(2, "big"), options.hex()


def test_upload_over_the_narrow_uplink(narrow):
    """Super-packets of a host are cut to the uplink's size, and arrive whole."""
    host = narrow.hosts[0]
    host.run("dd", "if=/dev/urandom", "of=/run/up", "bs=1M", "count=5")
    expected = host.run("sha256sum", "/run/up").stdout.split()[0]
    with Capture(narrow.outside.host) as capture:
        answer = host.run("curl", "-sS", "-f", "-m", 60, "-T", "/run/up", "http://files.example/up",
                          timeout=70).stdout.split()
        assert capture.frames
    assert answer == [expected, str(5 << 20)]


def test_counters_add_up(home, narrow):
    """Received = sent + delivered + dropped."""
    home.router.status().check_sum()
    narrow.router.status().check_sum()
