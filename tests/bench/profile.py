# SPDX-License-Identifier: BSD-3-Clause
"""Where the guest's instructions go: a profile by function of what a booted image does.

    python3 tests/bench/profile.py [LOAD]...

`make bench` builds what it needs. A LOAD is idle, tcp, flows (each packet a new one), dhcp, dhcp-again (clients that
come again), dns, dns-new (names to ask upstream for), or a number: NAT'd 60-byte packets a second. Instructions are
given a unit of work; beside them how often the function was entered. Functions that the compiler has put into others
count with those. Built on the counts of tests/bench/insn_plugin.c, before and after each load.
"""

import bisect
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import loads  # noqa: E402
from subject import SLUICE, Subject, lab  # noqa: E402

SECONDS = 4
QUIET_SECONDS = 12  # until what the start has stirred up has come to rest
IDLE_SECONDS = 30
ROWS = 40


def read_blocks(path):
    """{address: [instructions, runs]} of the blocks run so far."""
    with open(path, "rb") as file:
        _, count = struct.unpack("=QQ", file.read(16))
        blocks = {}
        for address, instructions, runs in struct.iter_unpack("=QQQ", file.read(24 * count)):
            row = blocks.setdefault(address, [0, 0])
            row[0] += instructions * runs
            row[1] += runs
    return blocks


def symbols(image):
    """Sorted ([addresses], [names]) of the image's functions."""
    listed = subprocess.run(["nm", "-n", image], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    rows = [(int(row[0], 16), row[2]) for row in rows if len(row) == 3 and row[1] in "tT"]
    return [row[0] for row in rows], [row[1] for row in rows]


def by_function(before, after):
    """{name: [instructions, entries]} between two looks."""
    addresses, names = symbols(lab.router.IMAGE + ".full")
    used = {}
    for address, (count, runs) in after.items():
        was = before.get(address, (0, 0))
        place = bisect.bisect(addresses, address) - 1
        known = place >= 0 and address < addresses[-1] + 65536
        row = used.setdefault(names[place] if known else "(firmware)", [0, 0])
        row[0] += count - was[0]
        if known and address == addresses[place]:
            row[1] += runs - was[1]
    return used


def report(used, units, what):
    """Prints instructions a unit of work, by function, largest first."""
    total = sum(row[0] for row in used.values())
    print(f"\n{total / units:10.1f} instructions a {what}")
    print(f"{'':10} {'':6} {'entered':>9}")
    for name, (count, runs) in sorted(used.items(), key=lambda row: -row[1][0])[:ROWS]:
        if count:
            print(f"{count / units:10.1f} {count / total:6.1%} {runs / units:9.3f}  {name}")
    sys.stdout.flush()


def services(subject):
    """{load: (work for so many seconds, units of its result, what a unit is)}."""
    def dhcp(base, clients):
        return lambda seconds: loads.dhcp(subject, 200, seconds, clients, base)

    def names(cached):
        return lambda seconds: loads.names(subject, cached, seconds)

    return {
        "tcp": (lambda seconds: loads.tcp(subject, seconds=seconds), lambda rate: rate * SECONDS / 1000,
                "1,000 bytes of TCP"),
        "flows": (lambda seconds: loads.flows(subject, 4000, 4000 * seconds), lambda result: result[1], "new flow"),
        "dhcp": (dhcp(200, 100000), lambda result: result[0], "exchange"),
        "dhcp-again": (dhcp(201, 200), lambda result: result[0], "exchange"),
        "dns": (names(True), lambda rate: rate * SECONDS, "answer from the cache"),
        "dns-new": (names(False), lambda rate: rate * SECONDS, "answer from upstream"),
    }


def run_load(subject, load):
    """Runs one load; returns (functions, units, what a unit is)."""
    path = subject.counter.path
    if load == "idle":
        time.sleep(QUIET_SECONDS)
        before, start = read_blocks(path), time.monotonic()
        time.sleep(IDLE_SECONDS)  # the measured quantity is what happens in this time
        seconds = time.monotonic() - start
        return by_function(before, read_blocks(path)), seconds, "second, idle"
    if load in services(subject):
        work, units, unit = services(subject)[load]
    else:
        rate = int(load)
        work, units, unit = (lambda seconds: loads.packets(subject, rate, rate * seconds), lambda result: result[1],
                             f"packet at {rate}/s")
    work(1)
    before = read_blocks(path)
    result = work(SECONDS)
    return by_function(before, read_blocks(path)), units(result), unit


def main():
    with Subject(SLUICE, counted=True) as subject:
        subject.wait().outside.start_iperf()
        for load in sys.argv[1:] or ["idle", "1000", "16000", "tcp"]:
            report(*run_load(subject, load))


if __name__ == "__main__":
    lab.become_root([sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
    main()
