# SPDX-License-Identifier: BSD-3-Clause
"""UEFI: BOOTX64.EFI under OVMF, from all kinds of volumes, with and without a configuration beside it.

    [lan1] eth0 ---- port 1 [ router, of UEFI firmware ] port 0 ---- eth0 [isp] 198.51.100.10
"""

import re
import time

import pytest

import lab
from lab import uefi
from lab.clients import lease_by
from lab.home import Home, fetch
from lab.outside import SERVER

BOOT_LIMIT_S = 90

# As an editor of Windows leaves it.
FILE = b"# The attic's router.\r\nhostname=attic  # its name\r\nnet=lan,nat,ip=10.20.30.1/24,domain=attic\r\n"


def files(**more):
    """What is on the volume; names of more are written with _ for a dot."""
    return {uefi.REMOVABLE: uefi.LOADER, **{"EFI/BOOT/" + name.replace("_", "."): text for name, text in more.items()}}


def wait_ready(router):
    """Waits for the router behind the firmware; returns the seconds from the loader's first word to ready."""
    router.wait_for(r"^.*Sluice: \d", BOOT_LIMIT_S)
    begun = time.monotonic()
    router.wait_for(r"\bready\b", 30)
    return time.monotonic() - begun


@pytest.mark.parametrize("machine,nic,medium", [
    ("pc", "e1000e", uefi.cdrom),
    ("q35", "virtio-net-pci", uefi.disk),
])
def test_boots_and_routes(machine, nic, medium, tmp_path, say):
    """A lease, a name, a page and a ping, as the file beside the loader has it; nearly all memory is the router's.
    Sticks, and other media on either machine: test_images.py."""
    path = uefi.volume(tmp_path, files(sluice_cfg=FILE))
    with Home(machine=machine, nics=nic, memory_mb=uefi.MEMORY_MB, leases=False,
              boot=uefi.firmware(tmp_path) + medium(path)) as home:
        taken = wait_ready(home.router)
        say(f"{machine}, {nic}: {taken:.1f} s from the loader to ready")
        lease = lease_by("udhcpc", home.hosts[0])
        assert lease.router == "10.20.30.1" and lease.domain == "attic", lease
        assert home.hosts[0].run("ping", "-c", 1, "-W", 5, SERVER).returncode == 0
        assert fetch(home.hosts[0], "who")[1] > 0
        memory = int(re.search(r"Sluice \S+ +(\d+) MB +started by UEFI", home.router.console).group(1))
        assert uefi.MEMORY_MB * 0.9 < memory <= uefi.MEMORY_MB
        home.router.status().check_sum()


def test_without_a_file_it_is_a_home_router(tmp_path):
    """Nothing said is a good configuration here too."""
    with Home(memory_mb=uefi.MEMORY_MB, leases=False,
              boot=uefi.firmware(tmp_path) + uefi.disk(uefi.volume(tmp_path, files()))) as home:
        wait_ready(home.router)
        assert lease_by("udhcpc", home.hosts[0]).router == "192.168.8.1"


def test_load_options_override_the_file(tmp_path):
    """Typed in UEFI's shell (its startup script), the loader's path in front."""
    path = uefi.volume(tmp_path, {
        "router/sluice.efi": uefi.LOADER, "router/sluice.cfg": FILE,
        "startup.nsh": b"fs0:\\router\\sluice.efi net=lan,nat,ip=10.20.31.1/24,domain=attic\r\n"})
    with Home(memory_mb=uefi.MEMORY_MB, leases=False, boot=uefi.firmware(tmp_path) + uefi.disk(path)) as home:
        wait_ready(home.router)
        assert lease_by("udhcpc", home.hosts[0]).router == "10.20.31.1"
        assert home.hosts[0].run("ping", "-c", 1, "-W", 5, SERVER).returncode == 0


def test_load_options_alone(tmp_path):
    """By QEMU's -kernel, which OVMF starts as a program of its own with -append for load options."""
    with lab.Router([], memory_mb=uefi.MEMORY_MB, boot=[
            *uefi.firmware(tmp_path), "-kernel", uefi.LOADER, "-append", "hostname=attic frobnicate=1"]) as router:
        router.wait_for(r"command line, column 16: .*frobnicate", BOOT_LIMIT_S)
        router.wait_for("nothing is forwarded", 20)


def test_the_file_is_held_to_the_language(tmp_path):
    """A mistake is told with the file's name and its line."""
    path = uefi.volume(tmp_path, files(sluice_cfg=FILE + b"frobnicate=1\r\n"))
    with lab.Router([], memory_mb=uefi.MEMORY_MB, boot=uefi.firmware(tmp_path) + uefi.disk(path)) as router:
        router.wait_for(r"sluice\.cfg, line 4, column 1: .*frobnicate", BOOT_LIMIT_S)
        router.wait_for("nothing is forwarded", 20)


def test_a_file_that_is_too_long(tmp_path):
    """The loader says so and gives the machine back: firmware goes on to what it would boot next."""
    path = uefi.volume(tmp_path, files(sluice_cfg=FILE + b"# and so on\n" * 6000))
    with lab.Router([], memory_mb=uefi.MEMORY_MB, boot=uefi.firmware(tmp_path) + uefi.disk(path)) as router:
        router.wait_for(r"Sluice: error: sluice\.cfg is longer than 64 KB; shorten it", BOOT_LIMIT_S)
        router.wait_for("EFI Internal Shell", 30)
        assert "started by" not in router.console
