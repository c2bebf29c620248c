# SPDX-License-Identifier: BSD-3-Clause
"""The loads: each puts one kind of traffic on a subject and returns what came of it.

Two kinds of figures are made of them. Guest instructions a unit of work, under a load paced the same for all, so that
they do not depend on how fast this machine is. And the highest rate at which at most one in a thousand is lost.
"""

import json
import os
import re
import socket
import statistics
import struct
import subprocess
import tempfile
import time

from subject import ASKERS, ECHO_PORT, HOST, LOAD, ROUTER, SINK_PORT  # first: it says where the lab is
from lab.outside import GATEWAY, SERVER

LOST = 0.001
DHCP_CLIENTS = 2000
DHCP_LOST = 0.01
NAMES_CACHED = 100
_numbers = iter(range(1 << 30))


def highest(trial, low, high, steps=8):
    """The highest rate that holds, by bisection between low and high: trial(rate) returns what was reached, or None.
    A rate has failed when it has failed twice: this machine does other things, too."""
    best = 0.0
    for _ in range(steps):
        rate = round((low * high) ** 0.5)
        reached = trial(rate) or trial(rate)
        if reached:
            best, low = max(best, reached), rate
        else:
            high = rate
    return best


def metered(meter, work, units):
    """What meter() went on by for each of the units(result) that work() has done."""
    before = meter()
    result = work()
    return (meter() - before) / units(result)


def counted(subject, work, units):
    """Guest instructions for each unit."""
    return metered(subject.instructions, work, units)


def _received(watcher, sender):
    """(sent, received, seconds) of a sender's run, while a watcher outside counts."""
    assert watcher.stdout.readline().strip() == b"ready"
    sent, _, seconds = sender().stdout.split()
    received = int(watcher.stdout.readline())
    watcher.wait(10)
    return int(sent), received, float(seconds)


# ---- packets and flows ----

def packets(subject, rate, count, frame_bytes=60, flows=16):
    """Datagrams through the router, in flows that stay: (sent, received, seconds)."""
    sink = subject.outside.server.spawn(LOAD, "sink", SINK_PORT, stdout=subprocess.PIPE)
    return _received(sink, lambda: subject.host.run(
        LOAD, "send", SERVER, SINK_PORT, rate, count, frame_bytes, flows, timeout=120))


def flows(subject, rate, count):
    """As many datagrams, each of which opens a flow and a mapping of its own: (sent, received, seconds)."""
    watcher = subject.outside.host.spawn(LOAD, "count", "eth0", stdout=subprocess.PIPE)
    first, subject.flows_opened = subject.flows_opened, subject.flows_opened + count
    return _received(watcher, lambda: subject.host.run(
        LOAD, "flows", "eth0", subject.router.mac(1), rate, count, first, timeout=120))


def loss_free(load, subject, rate, seconds=1):
    """What was reached at this rate, or None if it was not held."""
    sent, received, taken = load(subject, rate, int(rate * seconds))
    held = received >= sent * (1 - LOST) and sent / taken > rate * 0.9
    return received / taken if held else None


def packet_instructions(subject, rate, seconds=2):
    """Guest instructions a forwarded packet, flows warm."""
    packets(subject, rate, rate // 4)
    return counted(subject, lambda: packets(subject, rate, rate * seconds), lambda result: result[1])


def packet_seconds(subject, rate, seconds=2):
    """Time of the router's processor for a forwarded packet, flows warm."""
    packets(subject, rate, rate // 4)
    return metered(subject.processor_seconds, lambda: packets(subject, rate, rate * seconds), lambda result: result[1])


def flow_seconds(subject, rate, seconds=2):
    """The same for a new flow with its first packet."""
    flows(subject, rate, rate // 4)
    return metered(subject.processor_seconds, lambda: flows(subject, rate, rate * seconds), lambda result: result[1])


def flow_instructions(subject, rate=4000, seconds=2):
    """Guest instructions a new flow with its first packet."""
    flows(subject, rate, rate // 4)
    return counted(subject, lambda: flows(subject, rate, rate * seconds), lambda result: result[1])


def tcp(subject, reverse=False, seconds=3):
    """iperf3 through the router: bytes a second as received."""
    argv = ["iperf3", "-c", SERVER, "-t", seconds, "-J"] + (["-R"] if reverse else [])
    report = json.loads(subject.host.run(*argv, timeout=60).stdout)
    return report["end"]["sum_received"]["bits_per_second"] / 8


def tcp_instructions(subject, seconds=3):
    """Guest instructions for each 1,000 bytes of TCP payload."""
    tcp(subject, seconds=1)
    return counted(subject, lambda: tcp(subject, seconds=seconds), lambda rate: rate * seconds / 1000)


def round_trips(subject, count=800, interval_us=4000):
    """(median, 99th percentile) of a round trip through NAT in seconds, one packet at a time."""
    p50, p99, lost = subject.host.run(LOAD, "rtt", GATEWAY, ECHO_PORT, count, interval_us).stdout.split()
    assert int(lost) < count / 100, f"{lost} of {count} echoes were lost"
    return float(p50) * 1e-6, float(p99) * 1e-6


def idle_instructions(subject, seconds=10, quiet_s=3):
    """Guest instructions a second with nothing to do."""
    time.sleep(quiet_s)  # until what came before has come to rest
    start, before = time.monotonic(), subject.instructions()
    time.sleep(seconds)  # the measured quantity is what happens in this time
    return (subject.instructions() - before) / (time.monotonic() - start)


# ---- services ----

def dhcp(subject, rate, seconds=2, clients=DHCP_CLIENTS, base=0):
    """perfdhcp, as a relay on the network: (exchanges done, exchanges begun, seconds)."""
    mac = f"02:0d:{base >> 8:02x}:{base & 255:02x}:00:00"
    report = subject.host.run("perfdhcp", "-4", "-l", HOST, "-r", rate, "-R", clients, "-p", seconds, "-W", 300000,
                              "-b", "mac=" + mac, ROUTER, check=False, timeout=60).stdout
    found = re.search(r"DISCOVER-OFFER\*.*?sent packets: (\d+).*REQUEST-ACK\*.*?received packets: (\d+)", report, re.S)
    assert found, report
    return int(found.group(2)), int(found.group(1)), seconds


def dhcp_held(subject, rate):
    """What was reached at this rate, or None if more than one exchange in a hundred was not finished."""
    done, begun, seconds = dhcp(subject, rate)
    held = done >= begun * (1 - DHCP_LOST) and begun > rate * seconds * 0.9
    return done / seconds if held else None


def dhcp_instructions(subject, new, rate=200, seconds=3):
    """Guest instructions an exchange: of clients never seen before, or of some that all have had a lease."""
    base, clients = 1 + next(_numbers), 100000
    if not new:
        clients = rate
        dhcp(subject, rate, 2, clients, base)
    return counted(subject, lambda: dhcp(subject, rate, seconds, clients, base), lambda result: result[0])


def names(subject, cached, seconds=3):
    """dnsperf, as fast as it is answered: answers a second. Names are NAMES_CACHED again and again, or each a new one,
    of as many hosts as it takes to stay below the limit of each."""
    askers = ASKERS[:1] if cached else ASKERS
    with tempfile.TemporaryDirectory() as directory:
        running = []
        for asker in askers:
            path, number = os.path.join(directory, asker), next(_numbers)
            with open(path, "w", encoding="ascii") as file:
                count = NAMES_CACHED if cached else 4000 * seconds
                file.writelines(f"n{n}.{'kept' if cached else number}.example A\n" for n in range(count))
            running.append(subject.host.spawn(
                "dnsperf", "-s", ROUTER, "-a", asker, "-d", path, "-l", seconds, "-t", 1, "-W",
                "-q", max(4, 64 // len(askers)), stdout=subprocess.PIPE))
        reports = [process.communicate(timeout=60)[0].decode() for process in running]
    found = [re.search(r"Queries completed: +(\d+).*Run time \(s\): +([\d.]+)", report, re.S) for report in reports]
    assert all(found), reports
    return sum(int(match.group(1)) / float(match.group(2)) for match in found)


def name_instructions(subject, cached, seconds=3):
    """Guest instructions an answer."""
    names(subject, cached, 1)
    return counted(subject, lambda: names(subject, cached, seconds), lambda rate: rate * seconds)


# ---- the start ----

def _frame(ethertype, payload, source, target=b"\xff" * 6):
    return target + source + struct.pack("!H", ethertype) + payload


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def _ip(protocol, source, target, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(target))
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + payload


def _discover(mac):
    bootp = struct.pack("!BBBBIHH16x6s10x192xI", 1, 1, 6, 0, 0x5EED0001, 0, 0x8000, mac, 0x63825363)
    bootp += bytes((53, 1, 1, 255)) + bytes(52)
    udp = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
    return _frame(0x0800, _ip(17, "0.0.0.0", "255.255.255.255", udp), mac)


def _ping(mac, router_mac):
    icmp = struct.pack("!BBHHH", 8, 0, 0, 0x5EED, 1) + bytes(32)
    icmp = icmp[:2] + struct.pack("!H", _checksum(icmp)) + icmp[4:]
    return _frame(0x0800, _ip(1, HOST, SERVER, icmp), mac, router_mac)


def first_signs(subject, limit_s=60, interval_s=0.005):
    """Seconds from QEMU's start until a ping has come back from the outside, and until a DHCP server has offered an
    address. Both are asked for from the beginning, two hundred times a second."""
    frames = subject.host.frames()
    frames.setblocking(False)
    host_mac, asker = bytes.fromhex(subject.host.mac().replace(":", "")), bytes.fromhex("020dff000001")
    router_mac = bytes.fromhex(subject.router.mac(1).replace(":", ""))
    ping, discover = _ping(host_mac, router_mac), _discover(asker)
    seen = {}
    with frames:
        while len(seen) < 2 and time.monotonic() - subject.router.started < limit_s:
            for name, frame in (("ping", ping), ("offer", discover)):
                if name not in seen:
                    frames.send(frame)
            end = time.monotonic() + interval_s
            while time.monotonic() < end:
                try:
                    frame = frames.recv(2048)
                except BlockingIOError:
                    time.sleep(0.0005)
                    continue
                now = time.monotonic() - subject.router.started
                if frame[23:24] == b"\x01" and frame[34:35] == b"\0":
                    seen.setdefault("ping", now)
                elif frame[23:24] == b"\x11" and frame[34:36] == b"\0\x43" and frame[42:43] == b"\x02":
                    seen.setdefault("offer", now)
    assert len(seen) == 2, f"{subject.name}: not within {limit_s} s: first ping and offer; came: {seen}"
    return seen["ping"], seen["offer"]


def median(values):
    """Of a few measurements, the one in the middle."""
    return statistics.median(values)
