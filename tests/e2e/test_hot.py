# SPDX-License-Identifier: BSD-3-Clause
"""What hardware does that it should not: interrupts that never come, NICs that do not start, that leave, or are many;
cables that are not there.

    [lan1] eth0 ---- port 1 [        ]
    [lan2] eth0 ---- port 2 [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
"""

import contextlib
import time

from lab.clients import lease_by
from lab.home import Home
from lab.outside import SERVER, wait_until
from lab.router import IMAGE, VIRTIO, Port, Router
from test_drivers import echoes

PIRQ_ROUTES = (0x8000F860, 0x8000F868)  # of q35's LPC bridge 1f.0: where INTA to INTH lead
ROUTED_NOWHERE = 0x80808080
SLOT_CONTROL_OFF = 0x07C0  # both indicators and the power off: PCI Express Base, section 7.5.3.10
ROOT_PORT_SLOT_CONTROL = 0x54 + 0x18  # of QEMU's pcie-root-port
IDLE_SECONDS, IDLE_SHARE_MAX, ATTEMPTS = 1, 0.15, 4  # 4 % of a core that is ours alone
LATENCY_MAX_MS = 1000
PORTS = 16
BROADCAST = b"\xff" * 6


def poke(router, port, bits, value):
    """Writes an I/O port of the machine."""
    size = {16: "h", 32: "w"}[bits]
    router.qmp("human-monitor-command", **{"command-line": f"o/{size} {port:#x} {value:#x}"})


def test_interrupts_cease():
    """The lines of two e1000 lead nowhere from now on. That is noticed, said once, and all goes on."""
    with Home(nics="e1000", machine="q35") as home:
        host = home.hosts[0]
        assert echoes(host, SERVER, 10)[0] == 0
        assert "interrupt" not in home.router.console
        for address in PIRQ_ROUTES:
            poke(home.router, 0xCF8, 32, address)
            poke(home.router, 0xCFC, 32, ROUTED_NOWHERE)
        for port in (0, 1):
            def said(port=port):
                home.router.status()  # a key wakes it, which would take a minute otherwise
                host.run("ping", "-c", 5, "-i", 0.02, "-w", 1, SERVER, check=False)
                return f"port {port}  the e1000 at 00:0{port + 1}.0 does not get its interrupts" in home.router.console
            wait_until(said, 30, f"port {port} is known to have no interrupt")
        lost, slowest, _ = echoes(host, SERVER, 40)
        assert lost == 0 and slowest < LATENCY_MAX_MS, (lost, slowest)
        status = home.router.status()
        status.check_sum()
        assert [port.rare.get("no-interrupt") for port in status.ports] == [1, 1], status.text
        assert home.router.console.count("does not get its interrupts") == 2
        home.router.set_link(1, False)  # nobody tells it of that, either
        home.router.wait_for("port 1 link down")


def test_no_cable_a_failed_nic_and_no_interrupts(say):
    """The uplink's cable comes later, and a lease with it. What does not start has its number and its network."""
    with Home(hosts=2, nics=("e1000", [VIRTIO, "e1000"]), properties=("", ["disable-modern=on", ""]),
              machine="microvm", leases=False, extra=("-S",)) as home:
        router, host = home.router, home.hosts[1]
        router.set_link(0, False)
        router.qmp("cont")
        router.wait_for(r"^ready ")
        router.wait_for(r"port 1 +virtio-net.* failed: it offers no interface")
        assert "uplink    port 0 has no link" in router.console
        for port in (0, 2):
            router.wait_for(rf"port {port} +the e1000 .* has no interrupt: it is looked at every 2 ms")
        assert [port.state for port in router.status().ports] == ["down", "dead", "up"]
        lease_by("udhcpc", host)
        shares = []
        while len(shares) < ATTEMPTS and (not shares or min(shares) > IDLE_SHARE_MAX):
            before, start = router.cpu_seconds(), time.monotonic()
            time.sleep(IDLE_SECONDS)  # the time itself is what is measured
            shares.append((router.cpu_seconds() - before) / (time.monotonic() - start))
        say(f"two e1000 without interrupts, idle: {min(shares) * 100:.2f} % of a core")
        assert min(shares) < IDLE_SHARE_MAX, shares
        router.set_link(0, True)
        router.wait_for(r"^uplink +203\.0\.113\.", timeout=5)
        lost, slowest, average = echoes(host, SERVER, 30)
        say(f"an echo there: {average:.2f} ms on average, {slowest:.1f} ms at most")
        assert lost == 0 and slowest < LATENCY_MAX_MS
        for number in range(12):
            router.set_link(2, number % 2 == 1)
            await_state(router, 2, ("down", "up")[number % 2])
        assert "port 2 link goes up and down" in router.console
        assert router.console.count("port 2 link down") + router.console.count("port 2 link up") == 10


def await_state(router, number, state):
    """Asks until the port is up or down; each question ends a sleep."""
    end = time.monotonic() + 10
    while router.status().ports[number].state != state:
        assert time.monotonic() < end, router.tail()


def rack():
    """QEMU's arguments for 17 slots: eight behind root ports, four behind a bridge, the rest on the root."""
    argv = []
    for slot in range(9):
        argv += ["-device", f"pcie-root-port,id=rp{slot},chassis={slot},slot={slot},addr={slot + 8:#x}.0"]
    argv += ["-device", "pcie-pci-bridge,id=bridge,bus=rp8"]
    buses = [(VIRTIO, f"bus=rp{slot}") for slot in range(8)]
    buses += [("e1000", f"bus=bridge,addr={slot + 1:#x}") for slot in range(4)]
    buses += [("e1000e", "addr=0x1a"), ("e1000e", "addr=0x1b"), (VIRTIO, "addr=0x1c"), ("e1000-82545em", "addr=0x1d")]
    return argv, [*buses, (VIRTIO, "addr=0x1e")]


def test_sixteen_ports_and_one_that_leaves():
    """Mixed drivers behind root ports and a bridge: each hears each. The 17th is left alone. One vanishes."""
    argv, devices = rack()
    config = f"net=rack,internal,ports={'+'.join(map(str, range(PORTS)))}"
    with contextlib.ExitStack() as stack:
        ports, ours = [], []
        for model, place in devices:
            port, end = Port.frames(properties=place, model=model)
            ports.append(port)
            ours.append(stack.enter_context(end))
            end.settimeout(20)
        router = stack.enter_context(Router(ports, boot=[*argv, "-kernel", IMAGE, "-append", config],
                                            memory_mb=128))
        router.wait_for(r"^ready ", timeout=60)
        assert "1 more network devices than the 16" in router.console
        ends = by_port(router, ours)
        every_one_hears(ends)
        # The slot's power is switched off under the first device of the first root port.
        gone = ends.index(ours[0])
        poke(router, 0xCF8, 32, 0x80000000 | 8 << 11 | ROOT_PORT_SLOT_CONTROL)
        poke(router, 0xCFC, 16, SLOT_CONTROL_OFF)
        end, left = time.monotonic() + 30, ends[:gone] + ends[gone + 1:]
        while "dead" not in (states := [port.state for port in router.status().ports]):
            assert time.monotonic() < end, router.tail()
            every_one_hears(left[:2])
        assert states[gone] == "dead" and states.count("up") == PORTS - 1
        drain(left)
        every_one_hears(left)


def by_port(router, ours):
    """Our ends in the order of the router's ports, which it tells by MAC."""
    ends = []
    for number in range(PORTS):
        mac = router.wait_for(rf"^port {number} +\S+ +([0-9a-f:]+)").group(1)
        ends.append(ours[int(mac[-2:], 16)])
    return ends


def drain(ends):
    """Throws away what has come."""
    for end in ends:
        end.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                end.recv(2048)
        end.settimeout(20)


def every_one_hears(ends):
    """A broadcast from each port comes to all others."""
    for sender, end in enumerate(ends):
        frame = (BROADCAST + bytes([2, 0, 0, 0, 1, sender]) + b"\x88\xb5" + bytes([sender])).ljust(60, b"\0")
        end.send(frame)
        for other in ends:
            while other is not end and other.recv(2048)[:15] != frame[:15]:
                pass
