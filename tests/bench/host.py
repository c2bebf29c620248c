# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the host build: `make bench` gives it the bench programs.

Instructions are counted by callgrind as the difference of two runs of N and 2N packets, so that what a run costs
besides them falls out; they are the same on every run. Nanoseconds are this machine's, best of several rounds.
"""

import os
import re
import subprocess
import sys

# program, its mode, the function whose instructions count, what a unit is
COUNTS = (
    ("bench_nat", "hot", "nat_burst", "NAT path (parse, key, find, rewrite), 1,000 flows", "packet"),
    ("bench_nat", "million", "nat_burst", "NAT path, 1,000,000 flows", "packet"),
    ("bench_nat", "open", "nat_open_burst", "NAT, opening a flow with a new mapping", "flow"),
    ("bench_switch", "switch", "switch_burst", "switch table (keys, learn, look up), 65,536 MACs", "packet"),
    ("bench_dataplane", "switch", "dp_input", "switch path (look, learn, look up, stage), 65,536 MACs", "packet"),
    ("bench_dataplane", "nat", "dataplane_poll", "dataplane, NAT, from rx_batch to tx_batch, 1,000 flows", "packet"),
    ("bench_dataplane", "million", "dataplane_poll", "dataplane, NAT, 1,000,000 flows", "packet"),
    ("bench_dataplane", "switch", "dataplane_poll", "dataplane, switch, from rx_batch to tx_batch, 65,536 MACs", "packet"),
    ("bench_dhcp", "few", "dhcp_exchange", "DHCP discover to ack, 100 leases", "exchange"),
    ("bench_dhcp", "many", "dhcp_exchange", "DHCP discover to ack, 10,000 leases", "exchange"),
    ("bench_dhcp", "new", "dhcp_exchange", "DHCP discover to ack of new clients", "exchange"),
)
UNITS = 32000


def collected(program, mode, function, units):
    """Instructions inside the function in a run of so many packets."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--toggle-collect={function}",
         program, mode, str(units)], capture_output=True, text=True, check=True, timeout=600)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1))


def main():
    programs = {os.path.basename(path): path for path in sys.argv[1:]}
    for name, mode, function, what, unit in COUNTS:
        used = collected(programs[name], mode, function, 2 * UNITS)
        used -= collected(programs[name], mode, function, UNITS)
        print(f"{what:<58} {used / UNITS:6.0f} instructions/{unit}", flush=True)
    for path in programs.values():
        for line in subprocess.run([path], capture_output=True, text=True, check=True).stdout.splitlines():
            name, size, value, unit = line.split()
            print(f"{name + ', ' + size:<58} {value:>6} {unit}", flush=True)


if __name__ == "__main__":
    main()
