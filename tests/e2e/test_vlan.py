# SPDX-License-Identifier: BSD-3-Clause
"""VLANs: a router on a stick. One cable carries four networks and the way out; other ports belong to single VLANs.

    [isp]  eth0 -- VLAN 99 -.
    [dev]  eth0 -- VLAN 10 -+
    [lab]  eth0 -- VLAN 20 -+- [admin] eth0 (untagged) ---- port 0 [        ] port 1 ---- eth0 [dev2]   (access, VLAN 10)
    [in]   eth0 -- VLAN 30 -+                                     [ router ] port 2 ---- eth0 [lab2]   (access, VLAN 20)
    [none] eth0 -- VLAN 77 -'                                     [        ] port 3 ---- eth0 [in2]    (access, VLAN 30)
                                                                  [        ] port 4 ---- by hand (access, 20)
                                                                  [        ] port 5 ---- by hand (trunk 20+30)

dev is nat, lab and admin are host-only, in is internal; nobody owns VLAN 77. The cable is made by lab/trunk.py.
"""

import contextlib
import itertools
import struct

import pytest

from lab.home import Capture, fetch
from lab.outside import SERVER, wait_until
from lab.reach import Probes, ping_all
from lab.site import FRAMES, ISP, Site
from lab.storm import BROADCAST, mac_bytes

CONFIG = """uplink=0,vlan=99 port=0,trunk=all,native=40
 net=dev,nat,vlan=10 net=lab,hostonly,vlan=20 net=in,internal,vlan=30 net=admin,hostonly,vlan=40
 port=1,vlan=10 port=2,vlan=20 port=3,vlan=30 port=4,vlan=20 port=5,trunk=20+30"""
PORTS = {0: {0: "admin", 10: "dev", 20: "lab", 30: "in", 77: "none", 99: ISP}, 1: "dev2", 2: "lab2", 3: "in2",
         4: FRAMES, 5: FRAMES}
GROUPS = {"dev": "dev", "dev2": "dev", "lab": "lab", "lab2": "lab", "in": "in", "in2": "in", "admin": "admin",
          "none": "none", ISP: ISP}
ACCESS, TRUNK = 4, 5  # ports whose frames are made by hand
TRUNK_MAC, ACCESS_MAC = bytes.fromhex("0200000000f5"), bytes.fromhex("0200000000f4")
TYPE = b"\x88\xb5"
FILE_MB = 8


def make(bare=()):
    """The drawing, configured; ports in bare are without offloads."""
    site = Site(CONFIG, PORTS, bare=bare, leases=("dev", "dev2", "lab", "lab2", "admin"))
    for name in ("lab", "lab2", "admin"):
        site.route(name, site.leases[name].server)
    for number, name in enumerate(("in", "in2", "none"), 1):
        site.static(name, f"10.30.0.{number}/24")
    return site


@pytest.fixture(scope="module", name="site")
def fixture_site():
    """One for most tests, with the offloads the kernel gives."""
    with make() as made:
        yield made


def tag(vid, tpid=0x8100, priority=0):
    """A VLAN tag's 4 bytes."""
    return struct.pack("!HH", tpid, priority << 13 | vid)


def frame(source, tags, text, to=BROADCAST):
    """A frame of a type nobody routes, with tags in front."""
    return (to + source + tags + TYPE + text).ljust(60 + len(tags), b"\0")


def test_each_vlan_is_its_network(site):
    """Leases come from the network of the VLAN, tagged or by an access port, and the untagged from the native one."""
    servers = {name: lease.server for name, lease in site.leases.items()}
    assert servers["dev"] == servers["dev2"] and servers["lab"] == servers["lab2"]
    assert len(set(servers.values())) == 3
    assert site.outside.router_address(), "the uplink's lease came over VLAN 99"


def test_who_reaches_whom(site):
    """UDP between all: within a VLAN, and from dev to the outside. Nothing else arrives, on any VLAN of the cable."""
    addresses = {name: site.address(name) for name in GROUPS}
    addresses[ISP] = SERVER
    expected = {(a, b) for a, b in itertools.permutations(GROUPS, 2) if GROUPS[a] == GROUPS[b]
                or (GROUPS[a] == "dev" and b == ISP)}
    with Probes({name: site[name] for name in GROUPS}, addresses) as probes:
        arrived, answered = probes.ask(expected)
    assert arrived == answered == expected
    assert not site.trunks[0].strangers, "frames left by a VLAN nobody configured"
    assert ping_all(site, addresses, expected) == expected


@pytest.mark.virtio("super-packets that are received")
@pytest.mark.parametrize("bare", [(), (0,), (1, 2, 3)], ids=["offloads", "trunk-bare", "access-bare"])
def test_files_are_right_whatever_the_nics_can(site, bare):
    """A file down and up over the trunk, and between trunk and access port, with super-packets and without."""
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(make(bare)) if bare else site
        expected = home.outside.make_file("file", FILE_MB)
        before = home.router.status()
        for name in ("dev", "dev2"):
            fetch(home[name], "file", "/run/file", server=SERVER)
            assert home[name].run("sha256sum", "/run/file").stdout.split()[0] == expected
            out = home[name].run("curl", "-sS", "-m", 60, "-T", "/run/file", f"http://{SERVER}/up").stdout
            assert out.split() == [expected, str(FILE_MB << 20)]
        after = home.router.status()
        packets = sum(after.ports[number].received - before.ports[number].received for number in (0, 1))
        # One file at least comes in piece by piece by a bare port; how many acknowledgements there are is TCP's own.
        assert (packets < (FILE_MB << 20) // 1460) == (not bare), f"{packets} packets for four files"
        after.check_sum()


def test_a_file_within_a_vlan(site):
    """Between a tagged and an untagged member of one VLAN: the switch takes and puts the tag, offloads included."""
    source, target = site["lab2"], site["lab"]
    source.run("sh", "-c", f"mkdir -p /run/www && head -c {FILE_MB << 20} /dev/urandom >/run/www/file")
    source.spawn("/usr/bin/python3", "-m", "http.server", "-d", "/run/www", 80)
    wait_until(lambda: ":80 " in source.run("ss", "-ltn").stdout, 10, "the server listens")
    fetch(target, "file", "/run/file", server=site.address("lab2"))
    assert target.run("sha256sum", "/run/file").stdout.split()[0] == \
        source.run("sha256sum", "/run/www/file").stdout.split()[0]


def test_large_frames_keep_the_mtu(site):
    """1,500 bytes of IP fit on a tagged port as well: the tag is not part of the MTU."""
    for name in ("dev", "dev2", "lab"):
        out = site[name].run("ping", "-c", 2, "-i", 0.2, "-W", 3, "-M", "do", "-s", 1472,
                             SERVER if name != "lab" else site.address("lab2")).stdout
        assert " 0% packet loss" in out, out


FORGED = [
    ("access: another network's tag", ACCESS, tag(10)),
    ("access: its own network's tag", ACCESS, tag(20)),
    ("access: the uplink's tag", ACCESS, tag(99)),
    ("access: nobody's tag", ACCESS, tag(77)),
    ("access: VID 4095", ACCESS, tag(4095)),
    ("access: two tags", ACCESS, tag(20) + tag(10)),
    ("access: priority tag before a tag", ACCESS, tag(0, priority=5) + tag(10)),
    ("access: service tag", ACCESS, tag(10, 0x88A8)),
    ("trunk: untagged without native", TRUNK, b""),
    ("trunk: priority tag without native", TRUNK, tag(0)),
    ("trunk: a network it does not carry", TRUNK, tag(10)),
    ("trunk: the uplink", TRUNK, tag(99)),
    ("trunk: the native network of another", TRUNK, tag(40)),
    ("trunk: nobody's tag", TRUNK, tag(77)),
    ("trunk: VID 4095", TRUNK, tag(4095)),
    ("trunk: VID 1", TRUNK, tag(1)),
    ("trunk: two tags in a network that knows none", TRUNK, tag(20) + tag(10)),
    ("trunk: service tag", TRUNK, tag(20, 0x88A8)),
]


def send_and_watch(site, port, sent, last, at):
    """Sends frames by hand, then one that arrives at the host at; returns what all hosts have seen of it."""
    with contextlib.ExitStack() as stack:
        captures = {name: stack.enter_context(Capture(site[name])) for name in GROUPS}
        captures["cable"] = captures["admin"]  # eth0 of the trunk's own host carries all of them
        for one in (*sent, last):
            site.frames[port].send(one)
        assert captures[at].wait_for(lambda f: b"the end" in f), "what is right does not arrive either"
        return {name: capture.frames for name, capture in captures.items()}


@pytest.mark.parametrize("name, port, tags", FORGED, ids=[row[0] for row in FORGED])
def test_forged_tags_go_nowhere(site, name, port, tags):
    """Not to any host, nor onto any VLAN of the cable; each is counted."""
    before = site.router.status().dropped
    mac = ACCESS_MAC if port == ACCESS else TRUNK_MAC
    forged = [frame(mac, tags, b"forged", to) for to in (BROADCAST, mac_bytes(site.macs["dev"]),
                                                         mac_bytes(site.macs["lab"]), mac_bytes(site.macs["in2"]))]
    last = frame(mac, b"" if port == ACCESS else tag(20), b"the end")
    seen = send_and_watch(site, port, forged, last, "lab2")
    for where, frames in seen.items():
        assert not [f for f in frames if b"forged" in f], f"{name}: seen at {where}"
    assert site.router.status().dropped >= before + len(forged)


def test_a_priority_tag_is_no_vlan(site):
    """VID 0 on an access port is untagged traffic with a priority: it arrives, without that tag."""
    last = frame(ACCESS_MAC, b"", b"the end")
    seen = send_and_watch(site, ACCESS, [frame(ACCESS_MAC, tag(0, priority=5), b"urgent")], last, "lab2")
    got = [f for f in seen["lab2"] if b"urgent" in f]
    assert len(got) == 1 and got[0][12:14] == TYPE, got
    assert len([f for f in seen["lab"] if b"urgent" in f]) == 1


def test_a_tag_inside_a_transparent_network_is_payload(site):
    """On the trunk the outer tag says it is the internal network's; the inner one goes along to the access port."""
    with Capture(site["in2"]) as capture:
        site.frames[TRUNK].send(frame(TRUNK_MAC, tag(30) + tag(10, priority=3), b"within"))
        got = capture.wait_for(lambda f: b"within" in f)
        assert got and got[12:18] == tag(10, priority=3) + TYPE, got


def test_it_all_adds_up(site):
    """The sum, and no frame ever left by a VLAN nobody configured."""
    site.router.status().check_sum()
    assert not site.trunks[0].strangers
