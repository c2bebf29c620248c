# SPDX-License-Identifier: BSD-3-Clause
"""Real peers that find out what stands between them: STUN (coturn, RFC 5780), tracepath, mtr.

    [lan1] eth0 ---- port 1 lan     [        ]                                   MTU 1400
    [lan2] eth0 ---- port 2 careful [ router ] port 0 ---- 203.0.113.1 [isp] ---------- [far] 198.51.100.10 STUN
                                                                                              198.51.100.77 STUN
careful filters by address. natdiscovery exits with 0 whatever it finds, so its words are read.
"""

import re

import pytest

from lab.home import Home
from lab.outside import GATEWAY, SERVER, wait_until
from lab.requirements import requirement

OTHER = "198.51.100.77"  # the STUN server's second address
FAR_MTU = 1400
CONFIG = "net=lan,nat,ports=1 net=careful,nat,filter=address-dependent,ports=2"
ROUTERS = ("192.168.8.1", "192.168.9.1")


@pytest.fixture(scope="module", name="home")
def fixture_home():
    """The drawing."""
    with Home(hosts=2, config=CONFIG, web=False, far=True, far_mtu=FAR_MTU) as made:
        outside = made.outside
        outside.server.ip("addr", "add", OTHER + "/32", "dev", "lo")
        outside.host.ip("route", "add", OTHER + "/32", "via", "198.18.0.2")
        stun = outside.server.spawn(
            "sh", "-c", 'exec "$@" >/run/stun.log 2>&1', "sh", "turnserver", "-n", "--stun-only", "-L", SERVER, "-L", OTHER,
            "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout", "--simple-log", "--pidfile", "/run/stun.pid")
        wait_until(lambda: outside.server.run("ss", "-Hulnp").stdout.count(":3479 ") >= 2, 20, "the STUN server listens",
                   stun)
        yield made


def discover(host, *options):
    """What natdiscovery says."""
    return host.run("turnutils_natdiscovery", *options, SERVER, timeout=60).stdout


@requirement("U1", "RFC 4787 REQ-1")
@requirement("U8", "RFC 4787 REQ-8")
@requirement("U10", "RFC 4787 REQ-10")
@pytest.mark.parametrize("host,filtering", [(0, "Endpoint Independent"), (1, "Address Dependent")],
                         ids=["default", "filter="])
def test_mapping_and_filtering(home, host, filtering):
    """Endpoint-independent mapping, and filtering as the network has it; no ALG."""
    said = discover(home.hosts[host], "-m", "-f")
    assert "NAT with Endpoint Independent Mapping!" in said, said
    assert f"NAT with {filtering} Filtering!" in said, said
    assert "No ALG: Mapped == XOR-Mapped" in said and "ALG: Mapped != XOR-Mapped" not in said
    assert set(re.findall(r"reflexive addr: (\S+):", said)) == {home.outside.router_address()}


@requirement("U9", "RFC 4787 REQ-9")
def test_hairpinning(home):
    """A host reaches its own outside port, from another one of its own. (Where addresses are filtered, the first would have
    to call that one as well: test_conformance_udp.py.)"""
    said = discover(home.hosts[0], "-H")
    assert "Received a request (maybe a successful hairpinning)" in said, said


@requirement("U3", "RFC 4787 REQ-3")
@requirement("U11", "RFC 4787 REQ-11")
def test_collision(home):
    """Two addresses inside with one port get two ports outside, and mapping and filtering are what they always are."""
    host = home.hosts[0]
    first, length = host.address()
    second = "192.168.8.77"
    host.ip("addr", "add", f"{second}/{length}", "dev", "eth0")
    said = discover(host, "-c", "-m", "-f", "-L", first, "-l", 4567, "-A", second)
    host.ip("addr", "del", f"{second}/{length}", "dev", "eth0")
    assert "NAT with Endpoint Independent Mapping!" in said and "NAT with Endpoint Independent Filtering!" in said, said
    both = re.findall(r"reflexive addr: (\S+)\n.*Local addr: : (\S+):(\d+)", said.partition("Collision Behavior")[2])
    assert [local for _, local, _ in both] == [first, second], said
    assert len({outside for outside, _, _ in both}) == 2 and len({port for _, _, port in both}) == 1, said


@requirement("U13", "RFC 4787 REQ-13")
@requirement("R1", "RFC 1812 s. 5.3.1")
def test_tracepath(home):
    """Every hop, and the smallest MTU on the way."""
    said = home.hosts[0].run("tracepath", "-n", SERVER, timeout=60).stdout
    for number, hop in enumerate((ROUTERS[0], GATEWAY, SERVER), 1):
        assert re.search(rf"^ *{number}: +{re.escape(hop)} ", said, re.M), said
    assert re.search(rf"pmtu {FAR_MTU}$", said, re.M) and re.search(r"reached$", said, re.M), said
    assert re.search(rf"Resume: pmtu {FAR_MTU} hops 3 back 3", said), said


@requirement("I1", "RFC 5508 REQ-1")
@requirement("R1", "RFC 1812 s. 5.3.1")
@pytest.mark.parametrize("options", [[], ["-u"], ["-T", "-P", "3478"]], ids=["ICMP", "UDP", "TCP"])
def test_mtr(home, options):
    """The router and the server, with nothing lost, by each kind of probe."""
    said = home.hosts[1].run("mtr", "-n", "-r", "-c", 3, "-i", 0.3, "-G", 1, *options, SERVER, timeout=60).stdout
    hops = re.findall(r"^ *(\d+)\.\|-- (\S+) +(\S+)%", said, re.M)
    assert hops == [("1", ROUTERS[1], "0.0"), ("2", GATEWAY, "0.0"), ("3", SERVER, "0.0")], said


def test_counters_add_up(home):
    """At the end, in the status."""
    home.router.status().check_sum()
