# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the booted image: `make bench` runs this after the host-build figures.

    outside (server, sink) ---- port 0 [router under QEMU, TCG] port 1 ---- lan (load)

Guest instructions are counted by a QEMU plugin (tests/bench/insn_plugin.c) around a paced load, so they do not
depend on how fast this machine is. Rates do: they are given as ratios of two runs one after the other.
"""

import json
import os
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import lab  # noqa: E402
from lab.outside import SERVER, wait_until  # noqa: E402

BUILD = os.environ.get("BUILD", os.path.join(lab.router.ROOT, "build"))
LOAD = os.path.join(BUILD, "bench", "load")
PLUGIN = os.path.join(BUILD, "bench", "insn.so")
SINK_PORT = 7000
OFFLOADS_OFF = "csum=off,gso=off,guest_csum=off,host_tso4=off,guest_tso4=off"


class Counter:
    """Guest instructions so far, read from the plugin's file."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "instructions")
        self.arguments = ["-plugin", f"{PLUGIN},out={self.path}"]

    def read(self):
        with open(self.path, "rb") as file:
            return struct.unpack("=Q", file.read(8))[0]


def say(name, value, note=""):
    """One figure, one line."""
    print(f"{name:<52} {value:>12}  {note}".rstrip(), flush=True)


class Bench:
    """A router with one LAN host that has a lease, and an outside with a server. A context manager."""

    def __init__(self, properties="", extra=(), config="", features="on"):
        self.outside = lab.Outside()
        self.host = lab.Host("lan")
        self.outside.start_isp()
        ports = [lab.Port(self.outside.uplink_fd, properties=properties),
                 lab.Port(self.host.tap("eth0"), properties=properties)]
        if features == "off":
            for host in (self.outside.host, self.host):
                host.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off")
        self.router = lab.Router(ports, config, extra=extra)
        lab.lease_by("udhcpc", self.host)
        self.host.run("ping", "-c1", "-W5", SERVER)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.router.stop(check=False)
        self.host.close()
        self.outside.close()

    def load(self, rate, count, frame_bytes=60, flows=16):
        """Sends through the router; returns (sent, received, seconds)."""
        sink = self.outside.server.spawn(LOAD, "sink", SINK_PORT, stdout=-1)
        assert sink.stdout.readline().strip() == b"ready"
        sent, _, seconds = self.host.run(LOAD, "send", SERVER, SINK_PORT, rate, count, frame_bytes,
                                         flows, timeout=120).stdout.split()
        received = int(sink.stdout.readline())
        sink.wait(10)
        return int(sent), received, float(seconds)


def instructions_per_packet(bench, counter, rate, seconds=3):
    """Guest instructions a forwarded packet at this rate, flows warm; the idle share is taken off."""
    bench.load(rate, rate // 4)
    before = counter.read()
    sent, received, _ = bench.load(rate, rate * seconds)
    used = counter.read() - before
    assert received > 0, "nothing came through"
    return used / received, received / sent


def idle_instructions(counter, seconds=5):
    """Guest instructions a second with nothing to do."""
    start, before = time.monotonic(), counter.read()
    time.sleep(seconds)  # the measured quantity is what happens in this time
    return (counter.read() - before) / (time.monotonic() - start)


def tcp_rate(bench, reverse=False, seconds=4):
    """iperf3 through the router: bits a second as received."""
    argv = ["iperf3", "-c", SERVER, "-t", seconds, "-J"] + (["-R"] if reverse else [])
    report = json.loads(bench.host.run(*argv, timeout=60).stdout)
    return report["end"]["sum_received"]["bits_per_second"]


def loss_free(bench, low=10000, high=400000):
    """Highest rate, in packets a second, at which at most one packet in a thousand is lost: by bisection."""
    best = 0
    for _ in range(7):
        rate = (low + high) // 2
        sent, received, seconds = bench.load(rate, rate)
        if received >= sent * 0.999 and sent / seconds > rate * 0.9:
            best, low = max(best, received / seconds), rate
        else:
            high = rate
    return best


def boot_to_offer():
    """Seconds from starting QEMU until a DHCP client on the LAN has its first offer; the client is already
    asking when the router starts, ten times a second."""
    with lab.Outside() as outside, lab.Host("lan") as host:
        outside.start_isp()
        ports = [lab.Port(outside.uplink_fd), lab.Port(host.tap("eth0"))]
        lab.clients.prepare("udhcpc", host)
        with lab.Router(ports) as router:
            router.wait_for("ready", 20)
            ready = time.monotonic() - router.started
            lab.lease_by("udhcpc", host)
            return ready, time.monotonic() - router.started


def main():
    image = os.path.getsize(lab.router.IMAGE)
    say("image", f"{image / 1000:.0f} KB")
    with tempfile.TemporaryDirectory() as directory:
        counter = Counter(directory)
        with Bench(extra=counter.arguments) as bench:
            for rate in (1000, 16000):
                per_packet, share = instructions_per_packet(bench, counter, rate)
                say(f"guest instructions per NAT'd packet at {rate}/s", f"{per_packet:.0f}",
                    f"60 bytes, {share:.1%} came through")
            before = counter.read()
            bench.outside.start_iperf()
            rate = tcp_rate(bench)
            used = counter.read() - before
            say("guest instructions per 1000 TCP bytes", f"{used / (rate * 4 / 8 / 1000):.1f}",
                "offloads on")
            wait_until(lambda: idle_instructions(counter, 1) < 1e6, 20, "the router is idle")
            say("guest instructions per second, idle", f"{idle_instructions(counter):.0f}")
    with Bench() as bench:
        say("NAT packets/s, 60 bytes, loss-free", f"{loss_free(bench):.0f}")
        bench.outside.start_iperf()
        on = tcp_rate(bench), tcp_rate(bench, reverse=True)
        say("NAT TCP up, offloads on", f"{on[0] / 1e9:.2f} Gb/s")
        say("NAT TCP down, offloads on", f"{on[1] / 1e9:.2f} Gb/s")
    with Bench(properties=OFFLOADS_OFF, features="off") as bench:
        bench.outside.start_iperf()
        off = tcp_rate(bench), tcp_rate(bench, reverse=True)
        say("NAT TCP up, offloads off", f"{off[0] / 1e9:.2f} Gb/s", f"on/off {on[0] / off[0]:.1f}x")
        say("NAT TCP down, offloads off", f"{off[1] / 1e9:.2f} Gb/s", f"on/off {on[1] / off[1]:.1f}x")
    ready, leased = boot_to_offer()
    say("QEMU start to ready", f"{ready * 1000:.0f} ms", "machine's speed, not compared")
    say("QEMU start to a lease (udhcpc)", f"{leased * 1000:.0f} ms", "machine's speed, not compared")


if __name__ == "__main__":
    try:
        lab.become_root([sys.executable, os.path.abspath(__file__)])
        main()
    except (lab.LabError, AssertionError) as error:
        sys.exit(f"bench: {error}")
