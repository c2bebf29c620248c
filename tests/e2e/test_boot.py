# SPDX-License-Identifier: BSD-3-Clause
"""Booting: machines, memory sizes, loaders, and configurations that are refused.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp] 198.51.100.10
"""

import os
import shutil
import subprocess

import pytest

import lab
from lab.clients import lease_by, prepare
from lab.home import Capture, Home, fetch
from lab.outside import SERVER
from lab.router import VIRTIO

GRUB_MENU = """
set timeout=0
serial --unit=0 --speed=115200
terminal_output serial
menuentry sluice {
    multiboot /boot/sluice.elf %s
    boot
}
"""


def serves(home):
    """A lease, a name and a page, each through the router."""
    assert home.leases[0].router == "192.168.8.1"
    assert fetch(home.hosts[0], "who")[1] > 0
    home.router.status().check_sum()


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_machines(machine):
    """Each of QEMU's machine types, by -kernel."""
    with Home(machine=machine) as home:
        serves(home)
        assert "Sluice" in home.router.console
        home.router.wait_for(r"\bready\b", 10)


@pytest.mark.parametrize("memory_mb", [16, 8192])
def test_memory_sizes(memory_mb):
    """The least and a lot; TCP of some size through the small one as well."""
    with Home(memory_mb=memory_mb) as home:
        serves(home)
        expected = home.outside.make_file("ten", 10)
        fetch(home.hosts[0], "ten", "/run/ten")
        assert home.hosts[0].run("sha256sum", "/run/ten").stdout.split()[0] == expected


def test_command_line_is_heard():
    """What stands behind -append configures the router."""
    with Home(config="net=lan,nat,ip=10.20.30.1/24,domain=attic log=debug", machine="pc") as home:
        lease = home.leases[0]
        assert lease.router == "10.20.30.1" and lease.domain == "attic", lease
        assert home.hosts[0].run("ping", "-c", 1, "-W", 5, SERVER).returncode == 0


FILE = """# The attic's router.
hostname=attic  # its name
net=lan,nat,ip=10.20.30.1/24,domain=attic
"""


def fw_cfg(what):
    """QEMU's arguments that put a configuration into the machine; what is file=PATH or string=TEXT."""
    return ["-fw_cfg", "name=opt/sluice/config," + what]


@pytest.mark.parametrize("machine", ["pc", "q35", "microvm"])
def test_fw_cfg_is_a_configuration(machine, tmp_path):
    """A file with lines and comments, by QEMU's -fw_cfg; what the command line says comes later."""
    (tmp_path / "sluice.cfg").write_text(FILE, "ascii")
    with Home(machine=machine, config="net=lan,nat,ip=10.20.31.1/24,domain=attic", leases=False,
              extra=fw_cfg(f"file={tmp_path / 'sluice.cfg'}")) as home:
        lease = lease_by("udhcpc", home.hosts[0])
        assert lease.router == "10.20.31.1" and lease.domain == "attic", lease
        assert home.hosts[0].run("ping", "-c", 1, "-W", 5, SERVER).returncode == 0


def test_fw_cfg_alone():
    """Without a command line, and as a string, in which QEMU wants every comma twice."""
    with Home(extra=fw_cfg("string=net=lan,,nat,,ip=10.20.30.1/24,,domain=loft")) as home:
        assert home.leases[0].router == "10.20.30.1" and home.leases[0].domain == "loft", home.leases


def test_fw_cfg_is_held_to_the_language(tmp_path):
    """A mistake is told with its line; and a file of more than 64 KB is none the router takes a part of."""
    (tmp_path / "wrong.cfg").write_text(FILE + "frobnicate=1\n", "ascii")
    with lab.Router([], extra=fw_cfg(f"file={tmp_path / 'wrong.cfg'}")) as router:
        router.wait_for(r"fw_cfg, line 4, column 1: .*frobnicate", 20)
        router.wait_for("nothing is forwarded", 20)
    (tmp_path / "long.cfg").write_text(FILE + "# and so on\n" * 6000, "ascii")
    with lab.Router([], extra=fw_cfg(f"file={tmp_path / 'long.cfg'}")) as router:
        router.wait_for("the text is too long; only its first 65536 bytes arrived", 20)
        router.wait_for("nothing is forwarded", 20)


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_grub_boots_it_from_a_disc(machine, tmp_path):
    """Multiboot 1: GRUB on a CD image made by grub-mkrescue, its command line handed on."""
    for program in ("grub-mkrescue", "xorriso", "mformat"):
        assert shutil.which(program), f"{program} is missing; `make deps` installs it"
    tree = tmp_path / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    shutil.copy(lab.router.IMAGE, tree / "boot" / "sluice.elf")
    (tree / "boot" / "grub" / "grub.cfg").write_text(GRUB_MENU % "net=lan,nat,domain=from-grub", "ascii")
    disc = tmp_path / "sluice.iso"
    made = subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", disc, tree],
                          capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0 and os.path.exists(disc), made.stdout + made.stderr
    with Home(machine=machine, boot=["-cdrom", str(disc), "-boot", "d"], leases=False) as home:
        home.router.wait_for(r"\bready\b", 90)
        assert lease_by("udhcpc", home.hosts[0]).domain == "from-grub"
        assert home.hosts[0].run("ping", "-c", 1, "-W", 5, SERVER).returncode == 0


@pytest.mark.parametrize("config,words", [
    ("frobnicate=1", ["frobnicate"]),
    ("net=lan,nta uplink=0,dchp", ["nta", "dchp"]),  # every error is named, not only the first
    ("fwd=tcp:8080:10.9.9.9:80", ["10.9.9.9"]),
    ("net=a,nat,ip=192.168.8.1/24,ports=1 net=b,nat,ip=192.168.8.129/25", ["overlap"]),
], ids=["unknown-key", "two-misspellings", "forward-to-nowhere", "overlap"])
def test_a_wrong_configuration_forwards_nothing(config, words):
    """The console says what is wrong; nothing at all leaves any port."""
    with Home(config=config, leases=False) as home:
        home.router.wait_for("nothing is forwarded", 20)
        for word in words:
            assert word in home.router.console, home.router.tail()
        with Capture(home.hosts[0]) as inside, Capture(home.outside.host) as outside:
            prepare("udhcpc", home.hosts[0])
            out = home.hosts[0].run("udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", 3, "-T", 1,
                                    "-s", "/run/lease-script", check=False)
            assert out.returncode != 0 and "no lease" in out.stdout + out.stderr
            assert not inside.frames and not outside.frames
        home.router.key("\n")
        home.router.wait_for(r"status +end$", 10)


def test_one_port_alone_is_a_host_only_network():
    """CONFIGURATION: the LAN of a host-only network, and the console says why."""
    with lab.Host("lan1") as host, lab.Router([lab.Port(host.tap("eth0"))]) as router:
        lease = lease_by("udhcpc", host)
        assert lease.address.startswith("192.168.8.") and not lease.router, lease
        assert host.run("ping", "-c", 1, "-W", 5, lease.server).returncode == 0
        router.wait_for(r"network +lan +hostonly", 5)
        router.wait_for("note", 5)


def test_no_port_at_all():
    """It says so, and does not panic."""
    with lab.Router([]) as router:
        router.wait_for("no network port was found", 20)


@pytest.mark.parametrize("nic, properties", [(VIRTIO, "vectors=0"), ("e1000", "")])
def test_a_port_without_interrupts(nic, properties):
    """It is looked at by a timer, and the keyboard is heard all the same. On microvm no line is routed."""
    port, _frames = lab.Port.frames(properties, model=nic)
    with lab.Router([port], machine="microvm") as router:
        router.wait_for("has no interrupt: it is looked at every 2 ms", 20)
        router.wait_for(r"\bready\b", 20)
        router.status(timeout=10)
