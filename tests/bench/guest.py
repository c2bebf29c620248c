# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the booted image, beside those of the peer in the same run: `make bench` runs this after the host-build
figures.

    python3 tests/bench/guest.py [WORD]...        only rows with one of the words in their names

All subjects of a phase run at the same time, idle but for the one that is measured, and each row is measured on all of
them one right after the other: this machine's speed drifts, and a ratio is of two neighbours. Guest instructions are
counted by a QEMU plugin (tests/bench/insn_plugin.c) in VMs of their own, for the plugin slows them down.
"""

import contextlib
import dataclasses
import os
import sys
import time
import typing

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from subject import BUILD, FLOWTABLE, LINUX, SLUICE, Subject, lab  # noqa: E402
import loads  # noqa: E402
import peer  # noqa: E402

ALL, WITHOUT_FLOWTABLE, OURS = (SLUICE, LINUX, FLOWTABLE), (SLUICE, LINUX), (SLUICE,)
HELD = 1000000
LEASE_RATES, FLOW_RATES, PACKET_RATES = (100, 20000), (3000, 300000), (10000, 400000)


@dataclasses.dataclass
class Row:
    """One figure, or several that one measurement gives. What must and what should be is a limit of the figure itself,
    or with "x" of its ratio to the better of the peer's two: at least that, where more is better, or at most."""

    names: tuple
    unit: str
    measure: typing.Callable  # subject: as many values as there are names
    must: str = ""
    aim: str = ""
    more_is_better: bool = False
    of: tuple = ALL


def one(function, *arguments):
    """A measurement that gives one value."""
    return lambda subject: (function(subject, *arguments),)


def best_rate(load, rates):
    """A measurement of the highest rate that is held."""
    return one(lambda subject: loads.highest(lambda rate: loads.loss_free(load, subject, rate), *rates))


def flows_held(subject):
    """Opens flows until there are HELD of them; returns how many there are then, and the highest rate at which new ones
    came through without loss when the table was four fifths full."""
    def fill(wanted, rate=20000, tries=40):
        while (there := subject.connections()) < wanted and (tries := tries - 1):
            loads.flows(subject, rate, min(4 * rate, wanted - there))
        return there

    fill(HELD * 4 // 5)
    some = HELD // 50  # a trial's: all of them fit into the last fifth
    best = loads.highest(lambda rate: loads.loss_free(loads.flows, subject, rate, some / rate), *FLOW_RATES, steps=5)
    return fill(HELD), best


COUNTED = (
    Row(("guest instructions a second, idle",), "", one(loads.idle_instructions), "50000", "5000"),
    Row(("guest instructions per NAT'd 60-byte packet, 16,000/s",), "", one(loads.packet_instructions, 16000),
        "800", "300"),
    Row(("the same at 1,000/s",), "", one(loads.packet_instructions, 1000)),
    Row(("guest instructions per 1,000 bytes of TCP, offloads on",), "", one(loads.tcp_instructions), "60", "20"),
    Row(("guest instructions per new flow, its packet included, 4,000/s",), "", one(loads.flow_instructions)),
    Row(("guest instructions per DHCP exchange, new clients, 200/s",), "", one(loads.dhcp_instructions, True),
        "40000", "15000", of=WITHOUT_FLOWTABLE),
    Row(("the same, clients that come again",), "", one(loads.dhcp_instructions, False),
        "40000", "15000", of=WITHOUT_FLOWTABLE),
    Row(("guest instructions per DNS answer, cached",), "", one(loads.name_instructions, True),
        "6000", "2500", of=WITHOUT_FLOWTABLE),
    Row(("guest instructions per DNS answer, asked upstream",), "", one(loads.name_instructions, False),
        of=WITHOUT_FLOWTABLE),
)
RATES = (
    Row(("NAT packets/s, 60 bytes, loss-free",), "", best_rate(loads.packets, PACKET_RATES), "4x", "6x", True),
    Row(("the router's processor, per packet, 30,000/s",), "us", one(loads.packet_seconds, 30000)),
    Row(("NAT TCP up, offloads on",), "Gb/s", one(loads.tcp), "1.3x", "", True),
    Row(("NAT TCP down, offloads on",), "Gb/s", one(loads.tcp, True), "1.3x", "", True),
    Row(("round trip through NAT, idle, median", "the same, 99th percentile"), "ms", loads.round_trips, "0.85x", "0.7x"),
    Row(("DHCP exchanges/s",), "", one(lambda s: loads.highest(lambda rate: loads.dhcp_held(s, rate), *LEASE_RATES)),
        "5x", "20x", True, WITHOUT_FLOWTABLE),
    Row(("DNS answers/s, cached",), "", one(loads.names, True), "6x", "12x", True, WITHOUT_FLOWTABLE),
    Row(("DNS answers/s, asked upstream",), "", one(loads.names, False), "", "", True, WITHOUT_FLOWTABLE),
    Row(("new flows/s, loss-free",), "", best_rate(loads.flows, FLOW_RATES), "4x", "8x", True),
    Row(("the router's processor, per new flow, 10,000/s",), "us", one(loads.flow_seconds, 10000)),
    Row(("flows held", "new flows/s when there are 800,000"), "", flows_held, "", "", True, OURS),
)
WITHOUT_OFFLOADS = (
    Row(("NAT TCP up, offloads off",), "Gb/s", one(loads.tcp), "", "", True),
    Row(("NAT TCP down, offloads off",), "Gb/s", one(loads.tcp, True), "", "", True),
)


class Table:
    """Figures as they come, and the table of them at the end."""

    HEAD = ("what", "Sluice", "Linux", "with flowtable", "ratio", "must", "aim", "")

    def __init__(self):
        self.lines = []
        self.figures = {}

    def add(self, name, row, values):
        """One figure of each subject that has one."""
        self.figures[name] = values
        peers = [values[subject] for subject in (LINUX, FLOWTABLE) if subject in values]
        ratio = values[SLUICE] / (max if row.more_is_better else min)(peers) if peers and min(peers) > 0 else None
        shown = [written(values[subject], row.unit) if subject in values else "" for subject in ALL]
        self._line(name, *shown, f"{ratio:.2f}x" if ratio else "", row.must, row.aim,
                   judged(values[SLUICE], ratio, row))

    def add_ratio(self, name, over, under, must, aim):
        """The ratio of two of Sluice's own figures, the larger the better."""
        if over in self.figures and under in self.figures:
            ratio = self.figures[over][SLUICE] / self.figures[under][SLUICE]
            row = Row((name,), "", None, must, aim, True)
            self._line(name, f"{ratio:.1f}x", "", "", "", must, aim, judged(ratio, ratio, row))

    def _line(self, *cells):
        self.lines.append(cells)
        print(f"{cells[0]:<62}" + "".join(f"{cell:>13}" for cell in cells[1:5]) + f"   {cells[7]}", flush=True)

    def markdown(self):
        """All of it, for docs/performance.md."""
        rows = [self.HEAD, ("---",) * len(self.HEAD), *self.lines]
        return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def written(value, unit):
    """A value for people."""
    if unit == "Gb/s":
        return f"{value * 8 / 1e9:.2f} Gb/s"
    if unit == "ms":
        return f"{value * 1e3:.3f} ms" if value < 0.1 else f"{value * 1e3:,.0f} ms"
    if unit == "us":
        return f"{value * 1e6:.1f} us"
    if unit == "MB":
        return f"{value} MB"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def judged(value, ratio, row):
    """Whether the row's marks are met."""
    def reaches(mark):
        figure = ratio if mark.endswith("x") else value
        limit = float(mark.rstrip("x")) / (1000 if row.unit == "ms" and not mark.endswith("x") else 1)
        if figure is None:
            return None
        return figure >= limit if row.more_is_better else figure <= limit

    if not row.must or reaches(row.must) is None:
        return ""
    if not reaches(row.must):
        return "**not met**"
    return "aim met" if row.aim and reaches(row.aim) else "met"


class Bench:
    """Which subjects there are, which rows are wanted, and the table."""

    def __init__(self, words):
        self.words = words
        self.table = Table()
        self.started = time.monotonic()
        try:
            peer.build(os.path.join(BUILD, "bench", "peer"))
            self.subjects = ALL
        except lab.LabError as error:
            print(f"without the peer, for it cannot be built: {error}")
            self.subjects = OURS

    def wanted(self, row):
        """Whether the row was asked for."""
        return not self.words or any(word in name for word in self.words for name in row.names)

    def phase(self, title, rows, **subject):
        """Starts the subjects, and measures the rows."""
        rows = [row for row in rows if self.wanted(row)]
        names = [name for name in self.subjects if any(name in row.of for row in rows)]
        if not rows:
            return
        print(f"\n{title}   [{time.monotonic() - self.started:.0f} s]", flush=True)
        with contextlib.ExitStack() as stack:
            subjects = [stack.enter_context(Subject(name, **subject)) for name in names]
            for one_of_them in subjects:
                one_of_them.wait().outside.start_iperf()
            for row in rows:
                self.measure(row, [one_of_them for one_of_them in subjects if one_of_them.name in row.of])

    def measure(self, row, subjects):
        """Measures one row on each."""
        found = {}
        for subject in subjects:
            try:
                found[subject.name] = row.measure(subject)
            except AssertionError as error:
                print(f"{subject.name}: {row.names[0]}: {error}", flush=True)
        if SLUICE in found:
            for number, name in enumerate(row.names):
                self.table.add(name, row if number == 0 else dataclasses.replace(row, must="", aim=""),
                               {subject: values[number] for subject, values in found.items()})

    def starts(self):
        """From QEMU's start to the first signs of life: the median of a few starts, of one for the slow peer."""
        rows = (Row(("QEMU start to first forwarded packet",), "ms", None, "400", "200"),
                Row(("QEMU start to first DHCP offer",), "ms", None))
        if not any(self.wanted(row) for row in rows):
            return
        print(f"\nstarts   [{time.monotonic() - self.started:.0f} s]", flush=True)
        found = {}
        for name in self.subjects:
            seen = []
            for _ in range(5 if name == SLUICE else 1):
                with Subject(name) as subject:
                    seen.append(loads.first_signs(subject))
            found[name] = [loads.median(column) for column in zip(*seen)]
        for number, row in enumerate(rows):
            self.table.add(row.names[0], row, {name: values[number] for name, values in found.items()})


    def memory(self):
        """The smallest memory with which each starts and forwards."""
        row = Row(("memory to route, with the tables of a /16 pool",), "MB", None)
        if not self.wanted(row):
            return
        print(f"\nmemory   [{time.monotonic() - self.started:.0f} s]", flush=True)
        found = {}
        for name, sizes_mb in ((SLUICE, range(16, 65, 4)), (LINUX, range(96, 257, 8))):
            for size_mb in sizes_mb if name in self.subjects else ():
                with contextlib.suppress(AssertionError), Subject(name, memory_mb=size_mb) as subject:
                    subject.wait(8 if name == SLUICE else 30)
                    found[name] = size_mb
                    break
        if SLUICE in found:
            self.table.add(row.names[0], row, found)


def main():
    bench = Bench(sys.argv[1:])
    print(f"image {os.path.getsize(lab.router.IMAGE) / 1000:.0f} KB\n")
    print(f"{'':62}{'Sluice':>13}{'Linux':>13}{'flowtable':>13}{'ratio':>13}")
    bench.starts()
    bench.phase("guest instructions", COUNTED, counted=True)
    bench.phase("rates", RATES)
    bench.phase("rates with offloads off", WITHOUT_OFFLOADS, offloads=False)
    for way in ("up", "down"):
        bench.table.add_ratio(f"NAT TCP {way}, offloads on against off", f"NAT TCP {way}, offloads on",
                              f"NAT TCP {way}, offloads off", "6x", "10x")
    bench.memory()
    path = os.path.join(BUILD, "bench", "table.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write(bench.table.markdown())
    print(f"\n{time.monotonic() - bench.started:.0f} s; the table for docs/performance.md is {path}")


if __name__ == "__main__":
    try:
        lab.become_root([sys.executable, os.path.abspath(__file__), *sys.argv[1:]])
        main()
    except (lab.LabError, AssertionError) as error:
        sys.exit(f"bench: {error}")
