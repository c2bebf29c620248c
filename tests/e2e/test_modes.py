# SPDX-License-Identifier: BSD-3-Clause
"""Every mode beside every other on one router: who gets an address from whom, and who reaches whom.

    home   nat       [n1] ---- port 1  [        ]
                     [n2] ---- port 2  [        ]
    only   hostonly  [o1] ---- port 3  [        ]
                     [o2] ---- port 4  [        ]
    inner  internal  [i1] ---- port 5  [        ]
                     [i2] ---- port 6  [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
    open   routed    [r1] ---- port 7  [        ]
    shut   routed    [q1] ---- port 8  [        ]
    vmnet0 bridge    [b1] ---- port 9  [        ]
                     [b2] ---- port 10 [        ]
    twin1  nat       [s1] ---- port 11 [        ]
    twin2  nat       [s2] ---- port 12 [        ]   the same subnet, and s1 and s2 the same address
"""

import contextlib
import errno
import itertools
from ipaddress import ip_address

import pytest

from lab.home import Capture, fetch
from lab.outside import GATEWAY, POOL, SERVER
from lab.reach import Probes, ping_all, printed_matrix
from lab.site import ISP, ISP_MAC, Site
from lab.storm import BROADCAST, mac_bytes
from lab.talk import connect, listening, talks

CONFIG = """net=home,nat,ports=1+2 net=only,hostonly,ip=192.168.56.1/24,ports=3+4 net=inner,internal,ports=5+6
 net=open,routed,ip=10.50.1.1/24,ports=7 net=shut,routed,ip=10.50.2.1/24,ports=8
 net=vmnet0,bridge,ports=9+10
 net=twin1,nat,ip=192.168.77.1/24,ports=11 net=twin2,nat,ip=192.168.77.1/24,ports=12
 rule=allow,from=uplink,to=open"""
NAMES = ["n1", "n2", "o1", "o2", "i1", "i2", "r1", "q1", "b1", "b2", "s1", "s2"]
NET_OF = {"n": "home", "o": "only", "i": "inner", "r": "open", "q": "shut", "b": "vmnet0", "isp": "uplink"}
# The port whose MAC the router uses in a network: its first. It has none in an internal one.
ROUTER_AT = {"home": 1, "only": 3, "open": 7, "shut": 8, "vmnet0": 0, "uplink": 0, "twin1": 11, "twin2": 12}
TWINS = {"s1": "twin1", "s2": "twin2"}
DHCP = ["n1", "n2", "o1", "o2", "r1", "q1", "b1", "b2"]
FILE_MB = 5
TYPE = b"\x88\xb5"


@pytest.fixture(scope="module", name="site")
def fixture_site():
    """The drawing, every host configured, and routes outside to the routed networks."""
    with Site(CONFIG, dict(enumerate(NAMES, 1)), leases=DHCP) as made:
        for name in ("o1", "o2"):
            made.route(name, made.leases[name].server)  # host-only hosts are told of no way out; they try all the same
        for number, name in enumerate(("i1", "i2"), 1):
            made.static(name, f"192.168.8.{number}/24")  # the same addresses as in home, and nobody minds
        for name in TWINS:
            made.static(name, "192.168.77.5/24", "192.168.77.1")
        made[ISP].ip("route", "add", "10.50.0.0/16", "via", made.outside.router_address())
        made[ISP].ip("route", "add", "192.168.0.0/16", "via", made.outside.router_address())  # it tries to reach in
        yield made


def network(name):
    """The network of a host."""
    return TWINS.get(name) or NET_OF[name.rstrip("0123456789")]


def addresses(site, names):
    """{name: address}."""
    return {name: site.address(name) for name in names}


def quiet_except(site, capture_of, allowed):
    """Fails if a capture holds a frame whose source is neither the router there nor in allowed(name)."""
    for name, capture in capture_of.items():
        router = ROUTER_AT.get(network(name))
        fine = set() if router is None else {mac_bytes(site.router.mac(router))}
        fine |= {mac_bytes(ISP_MAC if other == ISP else site.macs[other]) for other in allowed(name)}
        strange = [frame[:34].hex() for frame in capture.frames if frame[6:12] not in fine]
        assert not strange, f"{name} sees {strange[:5]}"


def neighbours(name):
    """The hosts of the same segment; the outside belongs to the bridge's."""
    everyone = [*NAMES, ISP]
    return [other for other in everyone if network(other) == network(name)
            or {network(other), network(name)} == {"vmnet0", "uplink"}]


def test_who_gets_an_address_from_whom(site):
    """The router serves its networks; the outside's server serves the bridge; nobody serves an internal network."""
    for name in ("n1", "n2"):
        assert site.leases[name].server == site.leases[name].router == "192.168.8.1"
    for name in ("o1", "o2"):
        assert site.leases[name].server == "192.168.56.1"
    assert site.leases["r1"].server == site.leases["r1"].router == "10.50.1.1"
    for name in ("b1", "b2"):
        lease = site.leases[name]
        assert lease.server == lease.router == GATEWAY
        assert ip_address(POOL[0]) <= ip_address(lease.address) <= ip_address(POOL[1])
    assert len({lease.address for lease in site.leases.values()}) == len(DHCP)
    site["i1"].run("sh", "-c", "ip addr flush dev eth0; udhcpc -i eth0 -f -q -n -t 2 -T 1 -s /bin/true; test $? = 1")
    site.static("i1", "192.168.8.1/24")


def test_all_pairs_as_printed(site):
    """UDP from everyone to everyone: what arrives and is answered is what the matrix says, and nothing else is seen."""
    matrix = printed_matrix(site.router.console)
    names = [*NAMES, ISP]
    # s2 is left out as a target: it is s1's double. i1 and i2 have addresses that mean other hosts elsewhere.
    targets = {**addresses(site, [n for n in names if n != "s2"]), ISP: SERVER}
    expected = {(a, b) for a, b in itertools.product(names, targets) if a != b and (
        network(a) == network(b) or matrix[network(a), network(b)] == "yes")}
    assert ("n1", ISP) in expected and ("n1", "o1") not in expected and (ISP, "r1") in expected
    pairs = [(a, b) for a in names for b in targets if a != b and (a, b) != ("s2", "s1")
             and (network(b) != "inner" or network(a) == "inner")]
    with contextlib.ExitStack() as stack:
        captures = {name: stack.enter_context(Capture(site[name])) for name in names}
        with Probes({name: site[name] for name in names}, targets) as probes:
            arrived, answered = probes.ask(expected & set(pairs), pairs)
        assert answered == expected & set(pairs)
        assert arrived == answered
        quiet_except(site, captures, neighbours)


def test_pings_agree(site):
    """The same by ICMP, for a choice of pairs."""
    matrix = printed_matrix(site.router.console)
    names = ["n1", "o1", "r1", "q1", "b1", ISP]
    pairs = list(itertools.permutations(names, 2))
    expected = {(a, b) for a, b in pairs if matrix[network(a), network(b)] == "yes"
                or {network(a), network(b)} == {"vmnet0", "uplink"}}
    assert ping_all(site, addresses(site, names), pairs) == expected


def test_nat_translates_and_routed_does_not(site):
    """What the outside's server sees as the source."""
    def who(name):
        """What the server says."""
        return site[name].run("curl", "-sS", "-m", 20, f"http://{SERVER}/who").stdout.split()[0]

    assert who("n1") == who("s1") == who("s2") == site.outside.router_address()
    assert who("r1") == site.address("r1")
    assert who("q1") == site.address("q1")
    assert who("b1") == site.address("b1")


def test_the_outside_reaches_into_a_routed_network_by_a_rule_only(site):
    """A service on each: the one whose network has a rule is reached, the other is not; nor is a translated one."""
    assert talks(site[ISP], site["r1"], site.address("r1"), 80)
    assert talks(site["b1"], site["r1"], site.address("r1"), 80), "the bridge's hosts are outside"
    before = site.router.status().dropped
    for name in ("q1", "n1"):
        with listening(site[name], 80):
            assert connect(site[ISP], site.address(name), 80, 1.2) == errno.ETIMEDOUT
    assert site.router.status().dropped >= before + 2


def test_twins_do_not_mix(site):
    """The same address in two networks, the same source port to the same server: two conversations."""
    expected = [site.outside.make_file(name, FILE_MB) for name in ("one", "two")]

    def get(name):
        """The sum of what arrived."""
        fetch(site[name], "one" if name == "s1" else "two", "/run/down", server=SERVER)
        return site[name].run("sha256sum", "/run/down").stdout.split()[0]

    assert list(site.each(get, TWINS).values()) == expected
    with Capture(site["s1"]) as one, Capture(site["s2"]) as two:
        sockets = {}
        for name in TWINS:
            out = site[name].run("curl", "-sS", "-m", 20, "--local-port", "40000", f"http://{SERVER}/who").stdout
            sockets[name] = out.split()
        assert sockets["s1"][1] != sockets["s2"][1], "one outside port for two hosts"
        for name, capture in (("s1", one), ("s2", two)):
            assert not [f for f in capture.frames if mac_bytes(site.macs["s2" if name == "s1" else "s1"]) in f[:12]]


def test_the_router_answers_on_the_bridged_uplink(site):
    """Its own address there, to the outside and to hosts of the bridge; and it translates as ever."""
    address = site.outside.router_address()
    assert address not in (site.address("b1"), site.address("b2"))
    pairs = [("b1", "router"), ("b2", "router"), (ISP, "router")]
    assert ping_all(site, {"router": address}, pairs) == set(pairs)
    assert fetch(site["b1"], "who", server=SERVER)[1] > 0
    assert fetch(site["n2"], "who", server=SERVER)[1] > 0


def test_ipv6_in_transparent_networks_and_nowhere_else(site):
    """Static and link-local IPv6 between bridge, outside and inside internal; each network's IPv6 stays there."""
    names = ["b1", "b2", ISP, "i1", "i2", "n1", "n2", "o1"]
    for number, name in enumerate(names, 1):
        site.ipv6(name, f"fd00:113::{number}/64")
    groups = [{"b1", "b2", ISP}, {"i1", "i2"}, {"n1", "n2"}]
    pairs = list(itertools.permutations(names, 2))
    targets = {name: f"fd00:113::{number}" for number, name in enumerate(names, 1)}
    try:
        expected = {(a, b) for a, b in pairs if any({a, b} <= group for group in groups)}
        assert ping_all(site, targets, pairs) == expected
        out = site["b1"].run("ping", "-6", "-c", 2, "-i", 0.3, "-W", 2, "-I", "eth0", "ff02::1").stdout
        assert out.count("bytes from fe80:") >= 4, "the bridge's neighbours answer to all-nodes:\n" + out
    finally:
        for name in names:
            site[name].sysctl("net/ipv6/conf/eth0/disable_ipv6", 1)


def test_multicast_crosses_the_bridge(site):
    """mDNS and a group of our own, from the bridge outwards and back; no other network hears it."""
    group = bytes.fromhex("01005e7f1234")
    with contextlib.ExitStack() as stack:
        captures = {name: stack.enter_context(Capture(site[name])) for name in [*NAMES, ISP]}
        for name in ("b1", ISP):
            mac = mac_bytes(ISP_MAC if name == ISP else site.macs[name])
            with site[name].frames() as raw:
                # Of an IP header there is at least the first byte: QEMU's e1000e sends nothing that it cannot parse.
                raw.send((group + mac + b"\x08\x00\x45" + b"multicast from " + name.encode() + b";").ljust(60, b"\0"))
        for name, text in ((ISP, b"from b1;"), ("b2", b"from b1;"), ("b2", b"from isp;"), ("b1", b"from isp;")):
            assert captures[name].wait_for(lambda f, text=text: text in f), (name, text)
        quiet_except(site, captures, neighbours)


@pytest.mark.parametrize("tags", ["81000005", "8100e005", "88a80064810000c8"])
def test_tagged_frames_pass_transparent_networks_as_they_are(site, tags):
    """A tag is payload to the bridge and to an internal network; elsewhere it goes nowhere."""
    tag = bytes.fromhex(tags)
    with contextlib.ExitStack() as stack:
        captures = {name: stack.enter_context(Capture(site[name])) for name in [*NAMES, ISP]}
        before = site.router.status().drops.get("vlan", 0)
        for name in ("n1", "o1", "r1", "b1", "i1"):
            frame = BROADCAST + mac_bytes(site.macs[name]) + tag + TYPE + b"tagged by " + name.encode() + b";"
            with site[name].frames() as raw:
                raw.send(frame.ljust(64, b"\0"))
        for name, text in ((ISP, b"by b1;"), ("b2", b"by b1;"), ("i2", b"by i1;")):
            got = captures[name].wait_for(lambda f, text=text: text in f)
            assert got and got[12:12 + len(tag)] == tag, (name, got)
        # Behind it comes what is allowed; when that is there, what is not would have been.
        for one, two in (("n1", "n2"), ("o1", "o2")):
            with site[one].frames() as raw:
                raw.send((BROADCAST + mac_bytes(site.macs[one]) + TYPE + b"the end").ljust(60, b"\0"))
            assert captures[two].wait_for(lambda f: b"the end" in f)
            assert not [f for f in captures[two].frames if b"tagged by" in f]
        assert not [f for f in captures[ISP].frames if b"by n1;" in f or b"by o1;" in f or b"by i1;" in f]
        assert site.router.status().drops.get("vlan", 0) == before + 3


def test_it_all_adds_up(site):
    """The sum after all of it; and nothing was sent by a port that does not exist for it."""
    site.router.status().check_sum()
