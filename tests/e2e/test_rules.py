# SPDX-License-Identifier: BSD-3-Clause
"""Rules: what they open, what they close, how it is told, and what they cannot change.

    dev nat      192.168.8.0/24  [d1] ---- port 1 [        ]
                                 [d2] ---- port 2 [        ]
    lab hostonly 192.168.9.0/24  [l1] ---- port 3 [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
                                 [l2] ---- port 4 [        ]
    app nat      192.168.10.0/24 [web] --- port 5 [        ]
                                 [db] ---- port 6 [        ]
                                 [slow] -- port 7 [        ]                       (rate=24m/12m)
"""

import contextlib
import errno
import itertools
import json
import re
import socket
import time

import pytest

from lab.home import Capture, Home
from lab.outside import SERVER, wait_until
from lab.reach import Probes, printed_matrix
from lab.site import ISP, Site, host_mac
from lab.talk import connect, listening, talks

RATE_IN, RATE_OUT = 24e6, 12e6  # bits a second, from and to [slow]
FIXED = {"d1": "192.168.8.11", "d2": "192.168.8.12", "l1": "192.168.9.11", "l2": "192.168.9.12",
         "web": "192.168.10.11", "db": "192.168.10.12", "slow": "192.168.10.13"}
HOSTS = " ".join(f"host={host_mac(port)},{FIXED[name]},{name}" for port, name in enumerate(FIXED, 1))
CONFIG = HOSTS + """ net=dev,nat,ip=192.168.8.1/24,ports=1+2 net=lab,hostonly,ip=192.168.9.1/24,ports=3+4
 net=app,nat,ip=192.168.10.1/24,ports=5+6+7 port=7,rate=24m/12m
 rule=allow,from=dev,to=lab,proto=tcp,port=22,log
 rule=reject,from=dev,to=lab,proto=tcp,port=23-25,log
 rule=reject,from=d1,to=lab,proto=udp,port=7001
 rule=deny,from=dev,to=lab,log
 rule=allow,from=192.168.8.12/32,to=db,proto=tcp,port=5432
 rule=allow,from=web,to=db,proto=tcp,port=5432
 rule=reject,from=web,to=db,proto=tcp
 rule=deny,from=web,to=db
 rule=deny,from=d2,to=uplink,proto=tcp,port=81
 rule=deny,from=app,to=router,proto=icmp
 assert=lab:no:uplink assert=dev:yes:lab assert=dev:yes:uplink"""
PORTS = dict(enumerate(FIXED, 1))
CLOSED = (errno.ETIMEDOUT, errno.EHOSTUNREACH)  # what no rule is about is refused with an ICMP error


@pytest.fixture(scope="module", name="site")
def fixture_site():
    """The drawing, configured."""
    with Site(CONFIG, PORTS, leases=FIXED) as made:
        for name in ("l1", "l2"):
            made.route(name, made.leases[name].server)
        yield made


def test_one_port_is_open_and_only_from_one_side(site):
    """ssh from dev to lab: the conversation passes both ways; lab opens nothing, not even from port 22."""
    assert talks(site["d1"], site["l1"], FIXED["l1"], 22)
    assert talks(site["d2"], site["l2"], FIXED["l2"], 22)
    with listening(site["d1"], 22):
        assert connect(site["l1"], FIXED["d1"], 22, 1.5) in CLOSED
    with listening(site["l1"], 2222):
        assert connect(site["d1"], FIXED["l1"], 2222, 1.5) == errno.ETIMEDOUT
    assert connect(site["l1"], SERVER, 80, 1.5) in CLOSED


def test_pairs_as_printed(site):
    """What the matrix calls no stays no by UDP, what it calls yes is all open."""
    matrix = printed_matrix(site.router.console)
    nets = {"d": "dev", "l": "lab", "w": "app", "s": "app"}
    names = ["d1", "d2", "l1", "l2", "web", "slow"]
    expected = {(a, b) for a, b in itertools.permutations(names, 2) if nets[a[0]] == nets[b[0]]}
    addresses = {name: FIXED[name] for name in names}
    with Probes({name: site[name] for name in names}, addresses) as probes:
        arrived, answered = probes.ask(expected)
    assert arrived == answered == expected
    assert matrix["dev", "lab"] not in ("yes", "no"), "some, by rules"
    assert matrix["lab", "dev"] == matrix["lab", "uplink"] == matrix["app", "lab"] == "no"
    assert matrix["app", "uplink"] == "yes"


def test_reject_tells_and_deny_does_not(site):
    """TCP gets a reset, UDP an ICMP error; what is denied gets nothing at all."""
    for port in (23, 25):
        start = time.monotonic()
        assert connect(site["d1"], FIXED["l1"], port) == errno.ECONNREFUSED
        assert time.monotonic() - start < 3
    with Capture(site["d1"]) as capture:
        probe = site["d1"].inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        with probe:
            probe.sendto(b"hello?", (FIXED["l1"], 7001))
            error = capture.wait_for(lambda f: f[12:14] == b"\x08\x00" and f[23] == 1 and f[34] == 3)
            assert error and error[35] == 13, "administratively prohibited, RFC 1812 5.2.7.1"
            assert error[42 + 12:42 + 20] == socket.inet_aton(FIXED["d1"]) + socket.inet_aton(FIXED["l1"])
            probe.sendto(b"hello?", (FIXED["l1"], 7002))
        seen = len(capture.frames)
        assert connect(site["d1"], FIXED["l1"], 26, 1.5) == errno.ETIMEDOUT
        assert not [f for f in capture.frames[seen:]
                    if f[12:14] == b"\x08\x00" and f[26:30] == socket.inet_aton(FIXED["l1"])]


def test_a_rule_for_the_way_out(site):
    """One host may not use one port outside; its neighbour may, and it may use others."""
    with listening(site[ISP], 81):
        assert connect(site["d2"], SERVER, 81, 1.5) == errno.ETIMEDOUT
        other = connect(site["d1"], SERVER, 81)
        assert not isinstance(other, int), other
        other.close()
    fine = connect(site["d2"], SERVER, 80)
    assert not isinstance(fine, int), fine
    fine.close()


def test_a_rule_for_the_router_itself(site):
    """app's hosts may not ping the router, and it serves them all the same; dev's may."""
    assert site["web"].run("ping", "-c", 2, "-i", 0.2, "-W", 1, "192.168.10.1", check=False).returncode == 1
    assert site["web"].run("dig", "+short", "+time=5", "files.example", "@192.168.10.1").stdout.strip() == SERVER
    assert site.lease("web")["web"].address == FIXED["web"]
    site["d1"].run("ping", "-c", 2, "-i", 0.2, "-W", 5, "192.168.8.1")


def test_between_two_hosts_of_one_network(site):
    """Micro-segmentation: web opens one port of db and nothing else there; db, and others of the network, are free."""
    web, db, slow = site["web"], site["db"], site["slow"]
    assert talks(web, db, FIXED["db"], 5432)
    assert connect(web, FIXED["db"], 80) == errno.ECONNREFUSED, "rejected, as the rule says"
    assert web.run("ping", "-c", 2, "-i", 0.2, "-W", 1, FIXED["db"], check=False).returncode == 1
    assert talks(db, web, FIXED["web"], 8080)
    assert talks(slow, db, FIXED["db"], 5433)
    db.run("ping", "-c", 2, "-i", 0.2, "-W", 5, FIXED["web"])
    assert talks(site["d2"], db, FIXED["db"], 5432), "by address in another network"
    with listening(db, 5432):
        assert connect(site["d1"], FIXED["db"], 5432, 1.5) in CLOSED


def test_logged_rules_are_told_and_counted(site):
    """A line on the console names rule, addresses and port; the status counts each rule's flows."""
    router = site.router
    before = router.status().text
    since = len(router.console)
    assert connect(site["d1"], FIXED["l2"], 24) == errno.ECONNREFUSED
    router.wait_for(rf"^.*rule.*{re.escape(FIXED['d1'])}.*{re.escape(FIXED['l2'])}.*24\b", 10, since)
    assert connect(site["d1"], FIXED["l2"], 26, 1.5) == errno.ETIMEDOUT
    router.wait_for(rf"^.*rule.*{re.escape(FIXED['d1'])}.*{re.escape(FIXED['l2'])}.*26\b", 10, since)
    after = router.status()
    assert rule_counts(after.text)[1] == rule_counts(before)[1] + 1
    assert rule_counts(after.text)[3] > rule_counts(before)[3]
    assert rule_counts(after.text)[0] == rule_counts(before)[0]
    after.check_sum()


def rule_counts(status):
    """The status's counters of the rules, in order."""
    return [int(count) for count in re.findall(r"^rule +\d+ .* (\d+)$", status, re.MULTILINE)]


def iperf(host, *options):
    """TCP's bits a second, as received."""
    out = host.run("iperf3", "-c", SERVER, "-t", 2, "-J", *options, timeout=60).stdout
    return json.loads(out)["end"]["sum_received"]["bits_per_second"]


def flood(sender, receiver, bps=60e6, seconds=2.0):
    """Sends datagrams at this rate from one connected socket to another; the bits a second, as frames, that arrive."""
    datagram, frame_bits = bytes(1400), (1400 + 42) * 8
    start, sent, got = time.monotonic(), 0, 0
    sender.setblocking(False)
    receiver.setblocking(False)
    while (passed := time.monotonic() - start) < seconds + 0.3:
        while sent * frame_bits < bps * min(passed, seconds):
            with contextlib.suppress(BlockingIOError):
                sender.send(datagram)
            sent += 1
        with contextlib.suppress(BlockingIOError):
            while receiver.recv(2048):
                got += 1
    return got * frame_bits / seconds


@pytest.mark.alone
def test_a_rate_holds_both_ways(site, say):
    """The slow port keeps to its rates, which UDP fills and TCP does not exceed; its neighbour is not slowed."""
    site.outside.start_iperf()
    with site["slow"].inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as inner, \
            site[ISP].inside(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as outer:
        outer.bind((SERVER, 7003))
        outer.settimeout(5)
        inner.connect((SERVER, 7003))
        inner.send(b"open")
        outer.connect(outer.recvfrom(10)[1])
        up, down = flood(inner, outer), flood(outer, inner)
    tcp_up, tcp_down = iperf(site["slow"]), iperf(site["slow"], "-R")
    free = min(iperf(site["db"]), iperf(site["db"], "-R"))
    say(f"rate 24/12 Mb/s: UDP {up / 1e6:.1f} up, {down / 1e6:.1f} down; TCP {tcp_up / 1e6:.1f} up,"
        f" {tcp_down / 1e6:.1f} down; without a rate {free / 1e6:.0f}")
    assert RATE_IN * 0.4 < up < RATE_IN * 1.25 and RATE_OUT * 0.4 < down < RATE_OUT * 1.25
    assert RATE_IN * 0.2 < tcp_up < RATE_IN * 1.25 and RATE_OUT * 0.2 < tcp_down < RATE_OUT * 1.25
    assert free > 4 * RATE_IN


def test_the_sum_holds(site):
    """After all of it."""
    site.router.status().check_sum()


@pytest.mark.parametrize("text, words", [
    ("net=dev,nat,ports=1 net=lab,nat,ports=2 rule=allow,from=dev,to=lab assert=dev:no:lab", ["dev", "lab", "rule"]),
    ("net=dev,nat,ports=1 net=lab,nat,ports=2 assert=lab:no:uplink", ["lab", "uplink"]),
    ("net=dev,nat,ports=1 net=lab,nat,ports=2 assert=dev:yes:lab", ["dev", "lab"]),
], ids=["opened-by-a-rule", "opened-by-the-mode", "not-open"])
def test_a_failing_assertion_stops_everything(text, words):
    """The console says which assertion and what opened the way; no DHCP, no way out, nothing switched."""
    with Home(hosts=2, config=text, leases=False) as home:
        router = home.router
        router.wait_for("nothing is forwarded", 20)
        error = router.wait_for(r"^error .*(\n +.*)*", 5).group()
        assert all(word in error for word in words), error
        one, two = home.hosts
        for number, host in enumerate((one, two), 1):
            host.ip("addr", "add", f"192.168.8.{number}/24", "dev", "eth0")
        with Capture(home.outside.host) as outside, Capture(two) as at_two:
            one.run("ping", "-c", 2, "-i", 0.2, "-W", 1, "192.168.8.2", check=False)
            one.run("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", 2, "-T", 1, "-s", "/bin/true", check=False)
            assert not outside.frames and not at_two.frames
        assert wait_until(lambda: home.outside.router_address() is None, 1, "no lease was asked for")
