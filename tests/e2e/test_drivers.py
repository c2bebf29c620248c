# SPDX-License-Identifier: BSD-3-Clause
"""Every NIC that has a driver, as uplink and on the LAN: what a router is for, in short, and what drivers get wrong.

    [lan1] eth0 ---- port 1 [        ]
    [lan2] eth0 ---- port 2 [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
"""

import pytest

from lab.home import Home, exchange, fetch
from lab.outside import SERVER, wait_until
from lab.router import MMIO, QEMU_IS_NEW, VIRTIO
from lab.site import FRAMES, Site
from lab.storm import Storm, marked
from lab.sums import Sums

NICS = {"e1000": "82540EM", "e1000-82544gc": "82544GC", "e1000-82545em": "82545EM", "e1000e": "82574L",
        "vmxnet3": "vmxnet3", MMIO: "virtio-net over MMIO",
        **({"igb": "82576"} if QEMU_IS_NEW else {})}
FILE_MB, SMALL_MB = 8, 5
SEGMENT_BYTES = 1460
ECHO_COUNT = 200
FLOOD = 20000
IDLE_SHARE_MAX = 0.03
LATENCY_MAX_MS = 400  # of the slowest echo; of a lost interrupt, what nothing else brings on in two seconds


@pytest.fixture(scope="module", params=NICS, name="home")
def fixture_home(request):
    """Two hosts, and this NIC on every port."""
    with Home(hosts=2, nics=request.param) as made:
        yield made


# One echo after another, each when the answer to the last is there and all has been silent for a moment: a router that
# misses an interrupt sleeps on, and nothing else wakes it. Prints how many were lost, and the times in milliseconds.
ECHOES = """
import os, select, socket, struct, sys, time
target, count = sys.argv[1], int(sys.argv[2])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raw.connect((target, 0))
times, me = [], os.getpid() & 0xFFFF
for number in range(count + 1):  # the first one asks for addresses
    body = struct.pack("!HHQ", me, number, 0)
    total = 0x800 + sum(struct.unpack("!6H", body))
    raw.send(struct.pack("!BBH", 8, 0, ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + body)
    start = time.monotonic()
    while (left := start + 2 - time.monotonic()) > 0 and select.select([raw], [], [], left)[0]:
        answer = raw.recv(2048)[20:]
        if answer[0] == 0 and struct.unpack("!HH", answer[4:8]) == (me, number):
            times.append((time.monotonic() - start) * 1000)
            break
    time.sleep(0.001 * (1 + number % 7))
print(count + 1 - len(times), max(times[1:], default=0), sum(times[1:]) / max(1, len(times) - 1))
"""


def echoes(host, target, count):
    """(lost, slowest in ms, average in ms) of so many echoes, each of which ends a sleep."""
    out = host.run("/usr/bin/python3", "-c", ECHOES, target, count, timeout=120).stdout.split()
    return int(out[0]), float(out[1]), float(out[2])


def reaches(host, target, *sizes):
    """Fails unless pings with so many bytes come back."""
    for size in sizes:
        out = host.run("ping", "-c", 2, "-i", 0.1, "-W", 5, "-s", size, target, check=False).stdout
        assert " 0% packet loss" in out, out


def test_files_names_and_neighbours(home):
    """A lease there was; names, a file both ways, and frames between the hosts."""
    one, two = home.hosts
    assert SERVER in one.run("dig", "+short", "+time=5", "files.example").stdout
    exchange(home.outside, one, FILE_MB)
    reaches(one, two.address()[0], 0, 1, 1472, 4000)
    home.router.status().check_sum()


def test_every_echo_ends_a_sleep(home, say):
    """Interrupts by line (e1000) or message (e1000e, igb): none of them is lost."""
    lost, slowest, average = echoes(home.hosts[0], SERVER, ECHO_COUNT)
    say(f"{ECHO_COUNT} echoes, each after silence: {average:.2f} ms on average, {slowest:.1f} ms at most")
    assert lost == 0 and slowest < LATENCY_MAX_MS, (lost, slowest)


def test_cable_pulled_and_plugged(home):
    """Noticed in silence, and under load: a download that stands while the cable is out goes on."""
    host = home.hosts[0]

    def pull_and_plug(port):
        for up in (False, True):
            home.router.set_link(port, up)
            wanted = "up" if up else "down"
            wait_until(lambda: home.router.status().ports[port].state == wanted, 10, f"port {port} is {wanted}")

    pull_and_plug(1)
    wait_until(lambda: host.run("ping", "-c", 1, "-W", 1, SERVER, check=False).returncode == 0, 30, "all is well again")
    expected = home.outside.make_file("big", FILE_MB)
    process = host.spawn("curl", "-sS", "-f", "-m", "90", "--limit-rate", "8M", "-o", "/run/big",
                         "http://files.example/big")
    wait_until(lambda: host.run("sh", "-c", "[ -s /run/big ]", check=False).returncode == 0, 20,
               "the download has begun", process)
    pull_and_plug(0)
    assert process.wait(100) == 0
    assert host.run("sha256sum", "/run/big").stdout.split()[0] == expected


def test_idle_costs_next_to_nothing(home, say):
    """With interrupts armed and nothing to do, it sleeps."""
    share = home.router.idle_share(IDLE_SHARE_MAX)
    say(f"idle: {share * 100:.2f} % of a core")
    assert share < IDLE_SHARE_MAX
    reaches(home.hosts[0], SERVER, 56)


MIXTURES = [(VIRTIO, "e1000"), ("e1000e", VIRTIO), ("e1000", "e1000e"), (VIRTIO, "vmxnet3"),
            *([(VIRTIO, "igb"), ("igb", VIRTIO)] if QEMU_IS_NEW else [])]


def sent_by(router, port, work):
    """How many packets the router gives a port's NIC while work() is done, super-packets counted once."""
    before = router.status().ports[port].sent
    work()
    return router.status().ports[port].sent - before


@pytest.mark.parametrize("nics", MIXTURES, ids="-".join)
def test_mixtures(nics, say):
    """Super-packets and partial checksums from one kind, cut and completed by the other, and the other way round; what
    one delivers packet by packet, the other is given as super-packets. No checksum that arrives anywhere is wrong."""
    uplink, lan = nics
    with Home(hosts=2, nics=(uplink, [lan, VIRTIO])) as home:
        one, two = home.hosts
        with Sums(home.outside.host) as outside, Sums(one) as inside:
            exchange(home.outside, one, SMALL_MB)
            down = sent_by(home.router, 1, lambda: fetch(one, "file"))
            up = sent_by(home.router, 0, lambda: one.run("curl", "-sS", "-f", "-m", 60, "-T", "/run/down",
                                                         "http://files.example/up", timeout=70))
        assert not outside.wrong and not inside.wrong
        assert all(side.finished + side.unfinished > 0 for side in (outside, inside))
        segments = (SMALL_MB << 20) // SEGMENT_BYTES
        say(f"{segments} segments were {down} packets down, {up} up")
        assert max(down, up) < segments / 2, (down, up)
        for port, nic in zip(home.router.status().ports, nics):
            assert nic == VIRTIO or "coalesced" in port.rare
            assert not nic.startswith("e1000") or "tx-full" not in port.rare  # they send while they are told
        one.run("mkdir", "-p", "/run/www")
        one.run("cp", "/run/down", "/run/www/file")
        one.spawn("/usr/bin/python3", "-m", "http.server", "-d", "/run/www", 80)
        address = one.address()[0]
        wait_until(lambda: two.run("curl", "-sf", f"http://{address}/", check=False).returncode == 0, 20, "it serves")
        fetch(two, "file", "/run/file", server=address)
        sums = [host.run("sha256sum", path).stdout.split()[0] for host, path in ((one, "/run/down"), (two, "/run/file"))]
        assert sums[0] == sums[1]
        home.router.status().check_sum()


def test_interrupt_lines_are_shared():
    """On pc, six devices have four lines: each of them is heard, whoever else is on its line."""
    with Home(hosts=5, nics="e1000", machine="pc") as home:
        for host in home.hosts:
            lost, slowest, _ = echoes(host, SERVER, 50)
            assert lost == 0 and slowest < LATENCY_MAX_MS, (host.name, lost, slowest)
        exchange(home.outside, home.hosts[4], SMALL_MB)
        home.router.status().check_sum()


@pytest.mark.parametrize("nic", NICS)
def test_trunk_jumbo_and_flood(nic):
    """A VLAN on a trunk, with files; frames of 9,000 bytes where mtu= says so; and small frames both ways at once,
    every one of which arrives or is dropped for a reason."""
    one, two = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
    config = "net=a,nat,vlan=10,mtu=9000 port=3,trunk=10 port=4,vlan=10 net=lan,internal,ports=1+2"
    with Site(config, {1: FRAMES, 2: FRAMES, 3: {10: "tagged"}, 4: "plain"}, leases=("tagged", "plain"),
              nic=nic, properties="host_mtu=9000" if nic == MMIO else "") as site:
        exchange(site.outside, site["tagged"], 4, SERVER)
        site["plain"].ip("link", "set", "eth0", "mtu", 9000)
        reaches(site["plain"], site.leases["plain"].server, 8972, 4000)
        reaches(site["plain"], site.address("tagged"), 1472)
        load = {1: ([frame(two, one, 1)], FLOOD, 0), 2: ([frame(one, two, 2)], FLOOD, 0)}
        before = site.router.status()
        seen = Storm(site.frames, load).finish()
        after = site.router.status()
        after.check_sum()
        for port, other in ((1, 2), (2, 1)):
            received = after.ports[port].received - before.ports[port].received
            # For the other NICs QEMU keeps what comes faster than it is taken; its vmxnet3 drops and counts it.
            missed = after.ports[port].missed - before.ports[port].missed
            assert missed == 0 or nic == "vmxnet3" and received > FLOOD / 10, after.text
            assert received + missed == seen.sent[port] == FLOOD, after.text
            assert seen.marks(other)[port] == after.ports[other].sent - before.ports[other].sent, after.text


def frame(target, source, mark):
    """The shortest frame there is, of a type nobody routes."""
    return (target + source + b"\x88\xb5" + marked(mark)).ljust(60, b"\0")
