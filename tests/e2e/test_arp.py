# SPDX-License-Identifier: BSD-3-Clause
"""ARP that lies, and ARP that tells of a change: who is believed, and how soon.

    lan nat     [n1]   ---- port 1 [        ]
                [n2]   ---- port 2 [        ]
                forger ---- port 3 [        ]
    trunk of 20 forger ---- port 4 [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
    cell hostonly, vlan=20 [c1] ---- port 5 [        ]
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from lab.home import EVERY_S, fetch, lossless
from lab.outside import SERVER
from lab.site import FRAMES, ISP, Site
from lab.storm import BROADCAST, mac_bytes

ROUTER, CELL = "192.168.8.1", "192.168.9.1"
CONFIG = """net=lan,nat,ports=1+2+3 net=cell,hostonly,vlan=20,ip=192.168.9.1/24,ports=5 port=4,trunk=20
 fwd=tcp:8080:192.168.8.20:80"""
FORGER = bytes.fromhex("020000000bad")
NOBODY = bytes(6)
VIP = "192.168.8.20"
SERVE = "import socket\nlistener = socket.create_server(('', 80))\nwhile True:\n with listener.accept()[0] as c: c.send(b'%s')"
# Asks again and again until the one it waits for answers; says when it begins, and when that was.
ASK = """import socket, time
print("asking", flush=True)
name, end = b"", time.monotonic() + 10
while name != b"%s" and time.monotonic() < end:
    try:
        with socket.create_connection(("%s", 8080), 0.1) as to:
            name = to.recv(9)
    except OSError:
        time.sleep(0.02)
print(time.monotonic(), name.decode())
"""
REQUEST, REPLY = 1, 2


@pytest.fixture(scope="module", name="site")
def fixture_site():
    """The drawing, configured."""
    with Site(CONFIG, {1: "n1", 2: "n2", 3: FRAMES, 4: FRAMES, 5: "c1"}, leases=("n1", "n2", "c1")) as made:
        made.route("c1", CELL)
        yield made


def arp(to, operation, sender, target, *, source=FORGER, tag=b"", hardware=1):
    """An ARP frame; sender and target are (MAC, address)."""
    body = hardware.to_bytes(2, "big") + b"\x08\0\x06\x04" + operation.to_bytes(2, "big") \
        + b"".join(mac + socket.inet_aton(address) for mac, address in (sender, target))
    return (to + source + tag + b"\x08\x06" + body).ljust(60, b"\0")


def lies(owner, victim, tag=b""):
    """Every kind of message by which the victim would take the forger for the owner; both are (MAC, address)."""
    forger = (FORGER, owner[1])
    return [arp(to, operation, forger, target, tag=tag, hardware=hardware)
            for to in (victim[0], BROADCAST)
            for operation, target in ((REPLY, victim), (REQUEST, (NOBODY, victim[1])), (REQUEST, (NOBODY, owner[1])),
                                      (REPLY, (BROADCAST, owner[1])), (REPLY, (NOBODY, "0.0.0.0")))
            for hardware in (1, 6)]


class Forgery(threading.Thread):
    """Sends the frames in turn, one every 20 ms, until it is left."""

    def __init__(self, end, frames):
        super().__init__(daemon=True)
        self.end, self.frames, self.over = end, frames, threading.Event()

    def run(self):
        while not self.over.is_set():
            for frame in self.frames:
                self.end.send(frame)
                if self.over.wait(EVERY_S):
                    break

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def who(site, name):
    """(MAC, address) of a host."""
    return mac_bytes(site.macs[name]), site.address(name)


# These two come first: the others lie, too, and what is told is told once in ten seconds.


def test_it_is_told_once(site):
    """A claim to the router's address gives one line in ten seconds, with who it was."""
    since = len(site.router.console)
    for _ in range(50):
        site.frames[3].send(arp(BROADCAST, REQUEST, (FORGER, ROUTER), (NOBODY, ROUTER)))
    site.router.wait_for(re.escape(f"{ROUTER} is the router's, and 02:00:00:00:0b:ad uses it too"), 10, since)
    site.router.status()
    assert site.router.console[since:].count("uses it too") == 1


def answer(end, address, macs, over):
    """Answers every question about the address with each of the MACs."""
    end.settimeout(0.05)
    while not over.is_set():
        try:
            frame = end.recv(2048)
        except TimeoutError:
            continue
        if frame[12:14] == b"\x08\x06" and frame[21] == REQUEST and frame[38:42] == socket.inet_aton(address):
            for mac in macs:
                end.send(arp(frame[6:12], REPLY, (mac, address), (frame[22:28], ROUTER), source=mac))


def test_two_with_one_address(site):
    """Both answer: who had it before keeps it, and the console names both, once."""
    host = who(site, "n1")
    over, since = threading.Event(), len(site.router.console)
    lossless(site["n1"], SERVER, 5)
    answerer = threading.Thread(target=answer, args=(site.frames[3], host[1], [FORGER], over), daemon=True)
    answerer.start()
    try:
        site.frames[3].send(arp(BROADCAST, REQUEST, (FORGER, host[1]), (NOBODY, ROUTER)))
        lossless(site["n1"], SERVER)
    finally:
        over.set()
        answerer.join()
    text = f"{host[1]} is claimed by {site.macs['n1']} and 02:00:00:00:0b:ad: give one of them another"
    site.router.wait_for(re.escape(text), 5, since)
    assert site.router.console[since:].count("is claimed by") == 1


@pytest.mark.parametrize("tag", [b"", b"\x81\0\xe0\0"], ids=["untagged", "priority tag"])
@pytest.mark.parametrize("victim", ["host", "router"])
def test_lies_from_a_neighbour(site, victim, tag):
    """Neither takes the host the forger for the router, nor the router him for the host: not a packet is lost."""
    router, host = (mac_bytes(site.router.mac(1)), ROUTER), who(site, "n1")
    assert fetch(site["n1"], "who", server=SERVER)[1] > 0  # all know each other
    before = site.router.status()
    with Forgery(site.frames[3], lies(router, host, tag) if victim == "host" else lies(host, router, tag)):
        lossless(site["n1"], SERVER)
        lossless(site["n1"], ROUTER, 50)
        assert fetch(site["n1"], "who", server=SERVER)[1] > 0
    after = site.router.status()
    assert (after.drops.get("arp-forged", 0) > before.drops.get("arp-forged", 0)) == (victim == "host"), after.text
    if victim == "router":
        assert re.search(r"^.*arp doubted [1-9]\d* refuted [1-9]\d* followed 0 ", after.text, re.M), after.text
    after.check_sum()


def test_lies_on_a_vlan(site):
    """The same from a trunk, about the router's address on the VLAN."""
    lossless(site["c1"], CELL, 10)
    router = (mac_bytes(site["c1"].ip("neigh", "show", CELL).split("lladdr ")[1].split()[0]), CELL)
    host = who(site, "c1")
    for frames in (lies(router, host, b"\x81\0\0\x14"), lies(host, router, b"\x81\0\0\x14")):
        with Forgery(site.frames[4], frames):
            lossless(site["c1"], CELL)


def test_the_routers_mac_is_nobody_elses(site):
    """A neighbour's word that another address is at the router's MAC goes nowhere."""
    router, host = mac_bytes(site.router.mac(1)), who(site, "n1")
    before = site.router.status().drops.get("arp-forged", 0)
    lossless(site["n1"], site.address("n2"), 5)
    for _ in range(3):
        site.frames[3].send(arp(host[0], REPLY, (router, site.address("n2")), host))
    lossless(site["n1"], site.address("n2"), 20)
    assert site.router.status().drops.get("arp-forged", 0) == before + 3


def silence(host, target, change, limit_s):
    """Changes something while the host pings every 20 ms. Returns the longest time without an answer, in seconds and of
    so many, from when the change is done, and what ping said. Ping is not given a time: with one it ends at the first
    error it is told of, and with a count it waits for what is lost."""
    with tempfile.TemporaryFile("w+") as said:
        ping = host.spawn("ping", "-D", "-i", EVERY_S, target, stdout=said, stderr=subprocess.STDOUT)
        time.sleep(0.5)
        change()
        start = time.time()
        time.sleep(limit_s)
        end = time.time()
        os.killpg(ping.pid, signal.SIGINT)  # at which it writes down what it has said
        ping.wait(10)
        said.seek(0)
        out = said.read()
    times = [when for when in map(float, re.findall(r"\[([\d.]+)\] 64 bytes", out)) if start < when < end]
    return max(b - a for a, b in zip([start, *times], [*times, end])), f"{start} to {end}: {out}"


def test_a_host_changes_its_mac(site, say):
    """Its packets go on within two seconds, without a word of its own to announce it."""
    host = site["n2"]
    address = site.address("n2")
    lossless(host, SERVER, 5)

    def change():
        host.ip("link", "set", "eth0", "down")
        host.ip("link", "set", "eth0", "address", "52:54:00:bb:00:02")
        host.ip("link", "set", "eth0", "up")
        site.route("n2", ROUTER)

    longest, said = silence(host, SERVER, change, 6)
    assert site.address("n2") == address
    say(f"silent for {longest:.2f} s")
    if longest > 2.5:
        pytest.fail(f"no answer for {longest:.3f} s\n{said}\n{site.router.status().text}\n{host.ip('neigh')}", False)


def test_an_address_moves(site, say):
    """A service's address goes to another machine, which announces it: followed within two seconds."""
    for name in ("n1", "n2"):
        site[name].spawn(sys.executable, "-c", SERVE % name)

    def ask_for(name):
        asker = site[ISP].spawn(sys.executable, "-c", ASK % (name, site.outside.router_address()),
                                stdout=subprocess.PIPE)
        assert asker.stdout.readline() == b"asking\n"
        return asker

    def answered(asker, name):
        when, who_did = asker.communicate(timeout=20)[0].decode().split()
        assert who_did == name
        return float(when)

    site["n1"].ip("addr", "add", f"{VIP}/24", "dev", "eth0")
    answered(ask_for("n1"), "n1")
    asker = ask_for("n2")
    site["n1"].ip("addr", "del", f"{VIP}/24", "dev", "eth0")
    site["n2"].ip("addr", "add", f"{VIP}/24", "dev", "eth0")
    mac = mac_bytes(site["n2"].mac())
    start = time.monotonic()
    with site["n2"].frames() as raw:
        raw.send(arp(BROADCAST, REQUEST, (mac, VIP), (NOBODY, VIP), source=mac))
    took_s = answered(asker, "n2") - start
    say(f"followed after {took_s:.2f} s")
    assert took_s < 2.5, site.router.status().text
