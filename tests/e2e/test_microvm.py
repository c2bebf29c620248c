# SPDX-License-Identifier: BSD-3-Clause
"""QEMU's microvm without PCI, as people start it and with less: where devices are is said by AML or the command line.

    [lan1] eth0 ---- port 1 [        ]
    [lan2] eth0 ---- port 2 [ router ] port 0 ---- eth0 203.0.113.1 [isp] 198.51.100.10
"""

import re

import pytest

from lab.clients import lease_by
from lab.home import Home, fetch
from lab.outside import SERVER
from lab.router import MMIO, Port, Router

MODERN = ["-global", "virtio-mmio.force-legacy=false"]
RNG = ["-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-device,rng=random"]
LINUX = "console=ttyS0 reboot=k panic=1 pci=off i8042.noaux"


@pytest.mark.parametrize("machine, extra", [
    ("microvm-default", []), ("microvm-without-acpi", MODERN + RNG), ("microvm-bare", []),
], ids=["default", "modern-without-acpi", "bare"])
def test_it_routes(machine, extra):
    """Ports in the order of QEMU's command line, interrupts, and words for Linux that are no mistakes."""
    with Home(hosts=2, nics=MMIO, machine=machine, extra=extra, config=LINUX) as home:
        ports = re.findall(r"^port (\d+) +virtio-net +(\S+) +link up +at 0x(\S+)", home.router.console, re.MULTILINE)
        assert [(int(number), mac) for number, mac, _ in ports] == [(n, home.router.mac(n)) for n in range(3)]
        assert sorted(address for *_, address in ports) == [address for *_, address in reversed(ports)]
        for word in LINUX.split():
            assert word in home.router.console
        for host in home.hosts:
            assert fetch(host, "who")[1] > 0
            out = host.run("ping", "-c", 10, "-i", 0.05, "-W", 2, SERVER).stdout
            assert " 0% packet loss" in out, out
        assert "no interrupt" not in home.router.console
        home.router.status().check_sum()


def test_without_a_serial_port():
    """There is nobody to talk to, and nothing is waited for."""
    with Home(nics=MMIO, machine="microvm-without-serial", leases=False) as home:
        assert lease_by("udhcpc", home.hosts[0]).router == "192.168.8.1"
        assert fetch(home.hosts[0], "who")[1] > 0


def test_places_where_no_device_is():
    """RAM, nothing, and half of another device: each is told, and the port is there all the same."""
    port, ours = Port.frames(model=MMIO)
    where = ["512@0xfeb00e00:12", "512@0x100000:5", "512@0xfec00000:5", "512@0xfeb00f00:5"]
    config = " ".join("virtio_mmio.device=" + place for place in where)
    with ours, Router([port], config, machine="microvm-without-acpi") as router:
        for said in ("0x00100000: a virtio device cannot be there", "0xfec00000: no virtio device",
                     "0xfeb00f00: no virtio device can be there: one is at 0xfeb00e00", "^port 0 .* at 0xfeb00e00",
                     r"\bready\b"):
            router.wait_for(said, 20)
