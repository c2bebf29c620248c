# SPDX-License-Identifier: BSD-3-Clause
"""The switch between LAN ports.

    [lan1] eth0 ---- port 1 [        ]
    [lan2] eth0 ---- port 2 [ router ] port 0 ---- eth0 [isp]
    [lan3] eth0 ---- port 3 [        ]
"""

import socket

import pytest

from lab.home import Capture, Home, fetch, host_mac
from lab.outside import SERVER
from lab.requirements import requirement

TYPE = b"\x88\xb5"  # IEEE 802 local experimental EtherType
BROADCAST = b"\xff" * 6


@pytest.fixture(scope="module", name="home")
def fixture_home():
    """A home with three LAN hosts."""
    with Home(hosts=3) as made:
        yield made


def mac(number):
    """A LAN host's MAC as bytes."""
    return bytes.fromhex(host_mac(number).replace(":", ""))


def frame(to, source, payload, kind=TYPE):
    """An Ethernet frame of at least 60 bytes."""
    return (to + source + kind + payload).ljust(60, b"\0")


def send(host, *frames):
    """Sends raw frames from a host's interface."""
    with host.frames() as raw:
        for one in frames:
            raw.send(one)


def wire(capture, number):
    """Waits until the numbered broadcast has passed everywhere: what was before it has passed as well."""
    assert capture.wait_for(lambda f: b"end %d" % number in f), "the closing broadcast did not arrive"


def test_two_lan_hosts_talk(home):
    """Ping and a file's worth of TCP between ports."""
    one, two, _ = home.hosts
    address = two.address()[0]
    out = one.run("ping", "-c", 3, "-i", 0.2, "-W", 5, address).stdout
    assert " 0% packet loss" in out, out
    assert "ttl=64" in out, "a switch takes nothing from the time to live"
    server = two.inside(socket.create_server, (address, 5000))
    client = one.inside(socket.create_connection, (address, 5000), 5)
    accepted, peer = server.accept()
    assert peer[0] == one.address()[0]
    for sock in (accepted, client, server):
        sock.close()


def test_lan_traffic_stays_off_the_uplink(home):
    """Not one frame of a conversation inside is seen outside; and a conversation with the outside is seen."""
    one, two, _ = home.hosts
    with Capture(home.outside.host) as capture:
        out = one.run("ping", "-f", "-c", 500, "-s", 700, two.address()[0]).stdout
        assert " 0% packet loss" in out, out
        one.run("ping", "-c", 1, "-W", 5, SERVER)
        # The last of it: what came before has been captured too.
        assert capture.wait_for(lambda f: f[12:14] == b"\x08\x00" and f[23] == 1), "the capture saw nothing"
        inside = [f for f in capture.frames if b"\xc0\xa8\x08" in f[14:42] or mac(1) in f or mac(2) in f]
    assert not inside, [f[:42].hex() for f in inside[:5]]


def test_broadcast_reaches_every_port_but_its_own_and_the_uplink(home):
    """A broadcast of a type the router does not know is the switch's to flood."""
    one, two, three = home.hosts
    with Capture(two) as at_two, Capture(three) as at_three, Capture(one) as at_one, \
            Capture(home.outside.host) as outside:
        send(one, frame(BROADCAST, mac(1), b"all of you; end 1"))
        wire(at_two, 1)
        wire(at_three, 1)
        assert not [f for f in at_one.frames if b"end 1" in f], "it came back"
        assert not [f for f in outside.frames if b"end 1" in f], "it went outside"


def test_multicast_is_flooded(home):
    """IPv4 multicast as mDNS sends it."""
    one, two, three = home.hosts
    group = bytes.fromhex("01005e0000fb")
    with Capture(two) as at_two, Capture(three) as at_three:
        send(one, frame(group, mac(1), b"multicast; end 2"))
        wire(at_two, 2)
        wire(at_three, 2)


@requirement("B2", "802.1D s. 7.7")
def test_unknown_unicast_is_flooded_and_known_is_not(home):
    """To a station nobody has seen: everywhere. Once it has spoken: to its port alone."""
    one, two, three = home.hosts
    stranger = bytes.fromhex("020000005ace")
    with Capture(two) as at_two, Capture(three) as at_three:
        send(one, frame(stranger, mac(1), b"who knows you? end 3"))
        wire(at_two, 3)
        wire(at_three, 3)
        send(three, frame(BROADCAST, stranger, b"here I am; end 4"))
        wire(at_two, 4)
        send(one, frame(stranger, mac(1), b"now only for you; end 5"), frame(BROADCAST, mac(1), b"end 6"))
        wire(at_three, 5)
        wire(at_two, 6)
        assert not [f for f in at_two.frames if b"end 5" in f], "a learned station's frame was flooded"


@requirement("B3", "802.1D s. 7.9")
def test_a_station_that_moves_is_followed_at_once(home):
    """The same source on another port: frames go there from the next one on."""
    one, two, three = home.hosts
    rover = bytes.fromhex("020000000b0b")
    with Capture(two) as at_two, Capture(three) as at_three:
        send(two, frame(BROADCAST, rover, b"at two; end 7"))
        wire(at_three, 7)
        send(three, frame(BROADCAST, rover, b"at three; end 8"))
        wire(at_two, 8)
        send(one, frame(rover, mac(1), b"find me; end 9"), frame(BROADCAST, mac(1), b"end 10"))
        wire(at_three, 9)
        wire(at_two, 10)
        assert not [f for f in at_two.frames if b"end 9" in f]


@requirement("B1", "802.1D s. 7.12.6")
def test_link_local_groups_are_not_forwarded(home):
    """802.1D: 01-80-C2-00-00-00 to 0F stay on their link, and are counted."""
    one, two, _ = home.hosts
    before = home.router.status().drops.get("eth-reserved", 0)
    with Capture(two) as at_two:
        send(one, *(frame(bytes.fromhex(f"0180c20000{last:02x}"), mac(1), b"reserved") for last in range(16)),
             frame(BROADCAST, mac(1), b"end 11"))
        wire(at_two, 11)
        assert not [f for f in at_two.frames if b"reserved" in f]
    assert home.router.status().drops["eth-reserved"] == before + 16


@requirement("B2", "802.1D s. 7.7")
def test_frame_to_its_own_port_is_dropped(home):
    """The destination is where it came from: counted, not sent back."""
    one, two, _ = home.hosts
    neighbour = bytes.fromhex("020000000c0c")
    before = home.router.status().drops.get("same-port", 0)
    with Capture(one) as at_one, Capture(two) as at_two:
        send(one, frame(BROADCAST, neighbour, b"I live at one; end 12"))
        wire(at_two, 12)
        send(one, frame(neighbour, mac(1), b"next door"), frame(BROADCAST, mac(1), b"end 13"))
        wire(at_two, 13)
        assert not [f for f in at_one.frames + at_two.frames if b"next door" in f]
    assert home.router.status().drops["same-port"] == before + 1


def test_the_outside_still_works(home):
    """After all that, NAT for all three hosts, and the counters add up."""
    for host in home.hosts:
        assert fetch(host, "who")[1] > 0
    home.router.status().check_sum()


@pytest.mark.virtio("an MTU from the device")
def test_jumbo_frames_where_every_port_takes_them():
    """9,000 bytes of IP cross the switch between ports whose NICs say so; the outside's 1,500 are kept to."""
    with Home(hosts=2, properties=("", "host_mtu=9000")) as jumbo:
        one, two = jumbo.hosts
        for host in jumbo.hosts:
            host.ip("link", "set", "eth0", "mtu", 9000)
        for size in (8972, 4000, 1473):
            out = one.run("ping", "-c", 2, "-i", 0.2, "-W", 5, "-M", "do", "-s", size, two.address()[0]).stdout
            assert " 0% packet loss" in out, out
        out = one.run("ping", "-c", 2, "-i", 0.2, "-W", 2, "-M", "do", "-s", 8972, SERVER, check=False).stdout
        assert "mtu = 1500" in out or "mtu=1500" in out, out
        assert fetch(one, "who")[1] > 0
        jumbo.router.status().check_sum()
