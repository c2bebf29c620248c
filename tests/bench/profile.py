# SPDX-License-Identifier: BSD-3-Clause
"""Where the guest's instructions go: a profile by function of a load through the booted image.

    python3 tests/bench/profile.py [udp RATE | tcp | idle]

Built on the counts of tests/bench/insn_plugin.c, before and after the load.
"""

import bisect
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import guest  # noqa: E402


def read_blocks(path):
    """{address: [instructions a run, runs]} and the total."""
    with open(path, "rb") as file:
        total, count = struct.unpack("=QQ", file.read(16))
        rows = struct.iter_unpack("=QQQ", file.read(24 * count))
        blocks = {}
        for address, instructions, runs in rows:
            blocks[address] = blocks.get(address, 0) + instructions * runs
    return total, blocks


def symbols(image):
    """Sorted ([addresses], [names]) of the image's functions."""
    listed = subprocess.run(["nm", "-n", image], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    rows = [(int(row[0], 16), row[2]) for row in rows if len(row) == 3 and row[1] in "tT"]
    return [row[0] for row in rows], [row[1] for row in rows]


def report(before, after, units, what):
    """Prints instructions a unit of work, by function, largest first."""
    addresses, names = symbols(guest.lab.router.IMAGE + ".full")
    used = {}
    for address, count in after[1].items():
        count -= before[1].get(address, 0)
        place = bisect.bisect(addresses, address) - 1
        name = names[place] if place >= 0 and address < addresses[-1] + 65536 else "(firmware)"
        used[name] = used.get(name, 0) + count
    total = sum(used.values())
    print(f"{total / units:10.1f} instructions a {what}")
    for name, count in sorted(used.items(), key=lambda row: -row[1])[:40]:
        print(f"{count / units:10.1f} {count / total:6.1%}  {name}")


def main():
    words = sys.argv[1:] or ["udp", "16000"]
    with tempfile.TemporaryDirectory() as directory:
        counter = guest.Counter(directory)
        with guest.Bench(extra=counter.arguments) as bench:
            if words[0] == "tcp":
                bench.outside.start_iperf()
                guest.tcp_rate(bench, seconds=1)
                before = read_blocks(counter.path)
                rate = guest.tcp_rate(bench)
                report(before, read_blocks(counter.path), rate * 4 / 8 / 1000, "1000 TCP bytes")
            else:
                rate = int(words[1])
                bench.load(rate, rate // 4)
                before = read_blocks(counter.path)
                _, received, _ = bench.load(rate, rate * 3)
                report(before, read_blocks(counter.path), received, "packet")


if __name__ == "__main__":
    main()
