# SPDX-License-Identifier: BSD-3-Clause
"""Ports that do not trust their hosts: locks, isolation, and the mirror that sees everything.

    lan nat             [tied]   ---- port 1 [        ]  lock=MAC
                        [first]  ---- port 2 [        ]  lock=first
                        [leased] ---- port 3 [        ]  lock=ip
                        [mirror] ---- port 4 [ router ]  promisc
                        [free]   ---- port 5 [        ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
    iso nat, isolate    [i1]     ---- port 6 [        ]
                        [i2]     ---- port 7 [        ]
    lan                 [kept]   ---- port 8 [        ]  lock=ip, with a reserved address and no lease
"""

import contextlib
import socket

import pytest

from lab.home import Capture, fetch
from lab.outside import SERVER
from lab.reach import Probes
from lab.site import ISP, Site, host_mac
from lab.storm import BROADCAST, ipv4, mac_bytes

KEPT = "192.168.8.20"
CONFIG = f"""net=lan,nat,ports=1+2+3+4+5+8 net=iso,nat,isolate,ports=6+7
 port=1,lock={host_mac(1)} port=2,lock=first port=3,lock=ip port=4,promisc port=8,lock=ip
 host={host_mac(8)},{KEPT},kept"""
NAMES = ["tied", "first", "leased", "mirror", "free", "i1", "i2"]
ROUTER = "192.168.8.1"
TYPE = b"\x88\xb5"
OTHER = bytes.fromhex("020000000bad")  # a MAC nobody has


@pytest.fixture(scope="module", name="site")
def fixture_site():
    """The drawing, all by DHCP."""
    with Site(CONFIG, dict(enumerate([*NAMES, "kept"], 1)), leases=NAMES) as made:
        made.static("kept", KEPT + "/24", ROUTER)
        yield made


def frame(source, text, to=BROADCAST, kind=TYPE):
    """A frame by hand."""
    return (to + source + kind + text).ljust(60, b"\0")


def arp(source, sender_mac, sender_ip, target_ip, operation=1):
    """An ARP packet to all; operation 1 asks, 2 answers."""
    body = b"\0\1\x08\0\x06\x04" + operation.to_bytes(2, "big") + sender_mac + socket.inet_aton(sender_ip)
    return frame(source, body + bytes(6) + socket.inet_aton(target_ip), kind=b"\x08\x06")


def udp(source, sender_ip, target_ip, text, to=BROADCAST):
    """A UDP datagram without a checksum."""
    data = b"\x1b\x58\x1b\x58" + (8 + len(text)).to_bytes(2, "big") + b"\0\0" + text
    return frame(source, ipv4(socket.inet_aton(sender_ip), socket.inet_aton(target_ip), 17, data), to, b"\x08\0")


def sent_and_seen(site, name, forged, at):
    """Sends forged frames from the host, then one of its neighbour's that arrives; what was seen at these hosts."""
    with contextlib.ExitStack() as stack:
        captures = {where: stack.enter_context(Capture(site[where])) for where in at}
        with site[name].frames() as raw:
            for one in forged:
                raw.send(one)
        # Behind them, by the same port, something that may pass: when it has come, they would have.
        site[name].run("ping", "-c", 1, "-W", 5, ROUTER)
        with site["free"].frames() as raw:
            raw.send(frame(mac_bytes(site.macs["free"]), b"the end"))
        for where, capture in captures.items():
            if where not in ("free", ISP, "i1", "i2"):
                assert capture.wait_for(lambda f: b"the end" in f), where
        return {where: capture.frames for where, capture in captures.items()}


def lock_drops(site):
    """What locks have dropped so far."""
    return site.router.status().drops.get("locked", 0)


@pytest.mark.parametrize("name", ["tied", "first"])
def test_a_port_locked_to_a_mac(site, name):
    """Its own station works; frames from another source go nowhere and do not move that station."""
    before = lock_drops(site)
    stolen = mac_bytes(site.macs["free"])
    forged = [frame(OTHER, b"forged"), frame(stolen, b"forged"), udp(OTHER, site.address(name), SERVER, b"forged")]
    seen = sent_and_seen(site, name, forged, ["mirror", "free", ISP])
    assert not [f for frames in seen.values() for f in frames if b"forged" in f]
    assert lock_drops(site) == before + len(forged)
    assert fetch(site[name], "who", server=SERVER)[1] > 0
    assert fetch(site["free"], "who", server=SERVER)[1] > 0


def test_the_first_is_forgotten_with_the_link(site):
    """A cable that was pulled and plugged again may belong to another station."""
    site.router.set_link(2, False)
    site.router.wait_for(r"port 2 .*down", 10)
    since = len(site.router.console)
    site.router.set_link(2, True)
    site.router.wait_for(r"port 2 .*up", 10, since)
    with Capture(site["free"]) as capture, site["first"].frames() as raw:
        raw.send(frame(OTHER, b"the new station"))
        assert capture.wait_for(lambda f: b"the new station" in f)
        raw.send(frame(mac_bytes(site.macs["first"]), b"the old station"))
        raw.send(frame(OTHER, b"the end"))
        assert capture.wait_for(lambda f: b"the end" in f)
        assert not [f for f in capture.frames if b"the old station" in f]


def test_a_port_locked_to_its_lease(site):
    """ARP that claims another's address, and IPv4 from one, go nowhere; what the lease says passes."""
    before = lock_drops(site)
    mine, mac = site.address("leased"), mac_bytes(site.macs["leased"])
    free = site.address("free")
    forged = [arp(mac, mac, ROUTER, free), arp(mac, mac, free, ROUTER, 2), arp(mac, OTHER, mine, free),
              arp(OTHER, OTHER, mine, free), udp(mac, free, ROUTER, b"forged"),
              udp(mac, "192.168.8.99", free, b"forged"), udp(OTHER, mine, free, b"forged"),
              udp(mac, "203.0.113.1", SERVER, b"forged"),
              frame(mac, b"forged of another protocol")]
    seen = sent_and_seen(site, "leased", forged, ["mirror", "free", ISP])
    for where, frames in seen.items():
        assert not [f for f in frames if b"forged" in f], where
        lies = [f for f in frames if f[12:14] == b"\x08\x06" and f[6:12] in (mac, OTHER)
                and f[22:32] != mac + socket.inet_aton(mine)]
        assert not lies, where
    assert lock_drops(site) == before + len(forged)
    assert fetch(site["leased"], "who", server=SERVER)[1] > 0
    site["free"].run("ping", "-c", 2, "-i", 0.2, "-W", 5, mine)


def test_an_address_nobody_gave_is_none(site):
    """A host that takes an address by itself on a port locked to leases is not heard; with its lease it is again."""
    host, lease = site["leased"], site.leases["leased"]
    host.ip("addr", "flush", "dev", "eth0")
    site.static("leased", "192.168.8.60/24", ROUTER)
    assert host.run("ping", "-c", 2, "-i", 0.2, "-W", 1, ROUTER, check=False).returncode == 1
    assert host.run("ping", "-c", 2, "-i", 0.2, "-W", 1, site.address("free"), check=False).returncode == 1
    host.ip("addr", "flush", "dev", "eth0")
    assert site.lease("leased")["leased"].address == lease.address
    host.run("ping", "-c", 2, "-i", 0.2, "-W", 5, ROUTER)


def test_a_reserved_address_needs_no_lease(site):
    """A host set up by hand with the address reserved for it passes a lock to leases; another's passes no more."""
    assert fetch(site["kept"], "who", server=SERVER)[1] > 0
    before = lock_drops(site)
    mac = mac_bytes(site.macs["leased"])
    seen = sent_and_seen(site, "leased", [udp(mac, KEPT, ROUTER, b"forged"), arp(mac, mac, KEPT, ROUTER, 2)],
                         ["mirror", "free"])
    assert not [f for frames in seen.values() for f in frames if b"forged" in f]
    assert lock_drops(site) == before + 2
    site["free"].run("ping", "-c", 2, "-i", 0.2, "-W", 5, KEPT)


def test_isolated_hosts_reach_the_router_and_nobody_beside_them(site):
    """Neither by IP nor by any frame; the way out is open to both."""
    names = ["i1", "i2"]
    outwards = {("i1", ISP), ("i2", ISP)}
    addresses = {name: site.address(name) for name in names} | {ISP: SERVER}
    one, two = mac_bytes(site.macs["i1"]), mac_bytes(site.macs["i2"])
    with Capture(site["i2"]) as capture:
        with Probes({name: site[name] for name in [*names, ISP]}, addresses) as probes:
            arrived, answered = probes.ask(outwards, [("i1", "i2"), ("i2", "i1"), *outwards])
        assert arrived == answered == outwards
        with site["i1"].frames() as raw:
            for to in (BROADCAST, two, bytes.fromhex("01005e0000fb"), OTHER):
                raw.send(frame(one, b"beside", to))
            # By way of the router's MAC as well.
            raw.send(udp(one, addresses["i1"], addresses["i2"], b"beside", mac_bytes(site.router.mac(6))))
        site["i2"].run("ping", "-c", 2, "-i", 0.2, "-W", 5, site.leases["i2"].server)
        assert not [f for f in capture.frames if one in f[:12] or b"beside" in f]
    assert fetch(site["i1"], "who", server=SERVER)[1] > 0


def test_the_mirror_sees_all_of_its_network_and_nothing_else(site):
    """A conversation of two others, both ways, what goes to the router, and the answers; none of another network's."""
    free = site["free"]
    free.run("ping", "-c", 1, "-W", 5, site.address("tied"))
    with Capture(site["mirror"]) as capture:
        free.run("ping", "-c", 3, "-i", 0.2, "-W", 5, "-p", "ca11ab1e", site.address("tied"))
        free.run("ping", "-c", 3, "-i", 0.2, "-W", 5, "-p", "0dd0dd0d", SERVER)
        site["i1"].run("ping", "-c", 3, "-i", 0.2, "-W", 5, "-p", "deadc0de", SERVER)
        frames = capture.frames
    ways = [(f[26:30], f[30:34]) for f in frames if bytes.fromhex("ca11ab1eca11ab1e") in f]
    one, two = socket.inet_aton(site.address("free")), socket.inet_aton(site.address("tied"))
    assert ways.count((one, two)) == ways.count((two, one)) == 3
    assert len([f for f in frames if bytes.fromhex("0dd0dd0d0dd0dd0d") in f]) == 6, "to the router and back"
    assert not [f for f in frames if bytes.fromhex("deadc0dedeadc0de") in f]
    assert not [f for f in frames if mac_bytes(site.macs["i1"]) in f[:12]]
    assert fetch(site["mirror"], "who", server=SERVER)[1] > 0, "it is a host like others as well"


def test_it_all_adds_up(site):
    """The sum; copies for the mirror count as made by the router."""
    site.router.status().check_sum()
