# SPDX-License-Identifier: BSD-3-Clause
"""What a router costs its host while nothing happens, and how soon it is there.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
"""

import contextlib
import os
import struct
import time

import pytest

import lab
from lab.home import Capture, Home
from lab.outside import SERVER

IDLE_SHARE_MAX = 0.03
IDLE_SECONDS = 4
# Of a processor that is ours alone. QEMU's 8254x receive nothing for a second after their driver has set them up.
FIRST_OFFER_MAX_S = 2.0 if lab.router.NIC in ("e1000", "e1000-82545em", "e1000-82544gc") else 1.0
ATTEMPTS = 5  # the best counts: other work on the machine only makes it later
PATIENCE_S = 60

DISCOVER_EVERY_S = 0.02


def discover():
    """A DHCPDISCOVER as a broadcast frame, with the broadcast flag and without a UDP checksum."""
    mac = bytes.fromhex("020000000d15")
    bootp = struct.pack("!4BIHH16s16s", 1, 1, 6, 0, 0x51D15C01, 0, 0x8000, bytes(16), mac) + bytes(192)
    bootp += b"\x63\x82\x53\x63" + b"\x35\x01\x01" + b"\xff"
    udp = struct.pack("!4H", 68, 67, 8 + len(bootp), 0) + bootp
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    total = sum(struct.unpack("!10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    ip = ip[:10] + struct.pack("!H", ~total & 0xFFFF) + ip[12:]
    return b"\xff" * 6 + mac + b"\x08\x00" + ip + udp


def is_offer(frame):
    """Whether a frame is a DHCPOFFER for us."""
    return b"\x63\x82\x53\x63\x35\x01\x02" in frame and b"\x51\xd1\x5c\x01" in frame


@contextlib.contextmanager
def processor_share():
    """Tells which share of a processor was to be had while this lasts: what a loop got that wants all of one."""
    loop = os.posix_spawnp("sh", ["sh", "-c", "ulimit -t 60; while :; do :; done"], os.environ)
    start, share = time.monotonic(), []
    try:
        yield share
    finally:
        os.kill(loop, 9)
        used = os.wait4(loop, 0)[2]
        share.append((used.ru_utime + used.ru_stime) / (time.monotonic() - start))


def first_offer_s():
    """Seconds from QEMU's start to the first DHCP offer on a LAN port, asking all the time; and our share meanwhile."""
    with lab.Outside() as outside, lab.Host("lan1") as host:
        outside.start_isp()
        ports = [lab.Port(outside.uplink_fd), lab.Port(host.tap("eth0"))]
        frame = discover()
        with host.frames() as raw, Capture(host) as capture, processor_share() as share:
            with lab.Router(ports) as router:
                while time.monotonic() < router.started + PATIENCE_S:
                    raw.send(frame)
                    if capture.wait_for(is_offer, DISCOVER_EVERY_S):
                        seconds = time.monotonic() - router.started
                        break
                else:
                    raise AssertionError(f"no offer within {PATIENCE_S} s\n{router.tail()}")
    return seconds, share[0]


@pytest.mark.alone
def test_first_offer_within_a_second(say):
    """From QEMU's start, kernel, configuration and all; or within a second of when the NIC can receive. On a machine
    that does other things too, a second is as much longer as our share of a processor is less than one."""
    attempts = []
    while len(attempts) < ATTEMPTS and (not attempts or min(attempts)[0] > FIRST_OFFER_MAX_S):
        seconds, share = first_offer_s()
        attempts.append((seconds * min(share, 1), seconds, share))
    _, seconds, share = min(attempts)
    say(f"first offer {seconds * 1000:.0f} ms after QEMU's start, with {share * 100:.0f} % of a processor to be had")
    assert min(attempts)[0] < FIRST_OFFER_MAX_S, attempts


def test_idle_costs_next_to_nothing(say):
    """Of one core, with leases and flows there; and it is still there afterwards."""
    with Home() as home:
        assert home.hosts[0].run("ping", "-c", 2, "-i", 0.2, "-W", 5, SERVER).returncode == 0
        share = home.router.idle_share(IDLE_SHARE_MAX, IDLE_SECONDS)
        say(f"idle: {share * 100:.2f} % of a core")
        assert share < IDLE_SHARE_MAX
        assert home.hosts[0].run("ping", "-c", 2, "-i", 0.2, "-W", 5, SERVER).returncode == 0
