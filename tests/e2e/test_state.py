# SPDX-License-Identifier: BSD-3-Clause
"""The router loses power and comes back: with a disk for its leases (state=), and without.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
    [lan2] eth0 ---- port 2 [        ]
      ...                       disk
"""

import contextlib
import hashlib
import os
import random
import re
import signal as signals
import subprocess
import time

import pytest

from lab.clients import lease_by, read_lease, signal, stay
from lab.home import ROUTER, Capture, Home, lossless
from lab.outside import SERVER, wait_until
from lab.router import MMIO, NIC

NAK, KILL = 6, 9
LEASES = "net=lan,nat,lease=1h"


@pytest.fixture(name="disk")
def fixture_disk(tmp_path):
    """An empty disk of 1 MB, as a path."""
    return image(tmp_path, 1 << 20)


def image(folder, size):
    """A file of zeros."""
    path = folder / "leases.img"
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def block(machine=None):
    """QEMU's device for a disk, on the machine that a test asks for, if it does."""
    return "virtio-blk-device" if NIC == MMIO and not machine else "virtio-blk-pci"


def drive(path, *more, machine=None):
    """QEMU's arguments for the disk; more: options of its drive."""
    drive_options = ",".join(["if=none,id=state,format=raw", f"file={path}", *more])
    return ["-drive", drive_options, "-device", f"{block(machine)},drive=state,serial=leases,werror=report"]


def state_of(router):
    """The numbers of the status line of state=: {name: number}."""
    line = re.search(r"^state +disk \d+ +(.*)$", router.status().text, re.MULTILINE).group(1)
    return {name: int(number) for name, number in re.findall(r"([a-z]+) +(\d+)", line)}


def wait_written(router, leases):
    """Waits until so many leases, and all there are, have been on the disk for a while."""
    wait_until(lambda: state_of(router)["leases"] >= leases and state_of(router)["writes"], 10, "leases are written")
    time.sleep(1.5)


def restored(router):
    """How many leases the router said it had found."""
    return int(router.wait_for(r"(\d+) leases restored").group(1))


def naks(capture):
    """NAKs among what was seen: option 53, or what looks like it, with that value, from a server's port."""
    return [frame for frame in capture.frames if frame[12:14] == b"\x08\x00" and frame[34:36] == b"\0\x43"
            and b"\x35\x01\x06" in frame[282:]]


@pytest.mark.parametrize("kept", [True, False], ids=["disk", "no-disk"])
def test_clients_go_on_after_a_power_cut(kept, disk):
    """Renewing, rebinding, and starting again with an old lease: each is told that it keeps its address, nobody is
    told that it does not, and a newcomer gets an address that nobody has."""
    with Home(hosts=4, config=LEASES + (" state=auto" if kept else ""), leases=False,
              extra=drive(disk) if kept else ()) as home:
        udhcpc, dhclient, dhcpcd, newcomer = home.hosts
        before = [stay(udhcpc), lease_by("dhclient", dhclient), lease_by("dhcpcd", dhcpcd)]
        signal("dhclient", dhclient, "TERM")
        if kept:
            wait_written(home.router, 3)
        home.restart()
        home.router.wait_for("^ready ")
        if kept:
            assert restored(home.router) == 3
        with Capture(udhcpc) as at_udhcpc, Capture(dhclient) as at_dhclient, Capture(dhcpcd) as at_dhcpcd:
            new = lease_by("udhcpc", newcomer)
            signal("udhcpc", udhcpc, "USR1")
            wait_until(lambda: "== renew" in udhcpc.read("/run/lease.log"), 20, "udhcpc has renewed")
            again = lease_by("dhclient", dhclient)  # from the lease in its file: INIT-REBOOT
            dhcpcd.run("dhcpcd", "-4", "-n", "eth0")
            wait_until(lambda: re.search("== .*(RENEW|REBIND|REBOOT)", dhcpcd.read("/run/lease.log")), 30,
                       "dhcpcd has asked again")
            assert "DHCPDISCOVER" not in again.log, again.log
            assert not naks(at_udhcpc) + naks(at_dhclient) + naks(at_dhcpcd)
        after = [read_lease("udhcpc", udhcpc), again, read_lease("dhcpcd", dhcpcd)]
        assert [lease.address for lease in after] == [lease.address for lease in before]
        assert new.address not in [lease.address for lease in before]


def test_a_locked_port_stays_open(disk):
    """lock=ip: what a host sends is let in again at once, though it has not asked by DHCP since."""
    with Home(hosts=1, config=f"{LEASES} port=1,lock=ip state=leases", extra=drive(disk)) as home:
        host = home.hosts[0]
        wait_written(home.router, 1)
        home.restart()
        home.router.wait_for("^ready ")
        wait_until(lambda: host.run("ping", "-c", 1, "-W", 1, SERVER, check=False).returncode == 0, 10,
                   "the host reaches the outside")
        assert "acks 0" in home.router.status().text


@pytest.mark.parametrize("machine", ["pc", "microvm"])
def test_other_machines(machine, disk):
    """The disk on a bus of another kind."""
    with Home(hosts=1, config=f"{LEASES} state=0", machine=machine, extra=drive(disk, machine=machine)) as home:
        wait_written(home.router, 1)
        home.restart()
        assert restored(home.router) == 1


def test_killed_in_the_middle_of_writing(tmp_path):
    """A crowd takes leases as fast as it can, QEMU is killed at any moment, again and again: what was written stays, and
    nothing is damaged. At the end, when all is written, all is there."""
    seen = 0
    chance = random.Random(7)
    config = "net=lan,nat,ip=10.7.0.1/16,pool=10.7.64.0-10.7.127.255 state=auto log=info"
    with Home(hosts=1, config=config, leases=False, extra=drive(image(tmp_path, 4 << 20))) as home:
        host = home.hosts[0]
        host.ip("addr", "add", "10.7.0.2/16", "dev", "eth0")

        def crowd(clients):
            # -W: an offer waits for ARP, and perfdhcp, once it has asked for all, would not wait for offers.
            return ("perfdhcp", "-4", "-u", "-d", 5, "-W", 2000000, "-R", 20000, "-n", clients, "-r", 300, "-s",
                    chance.randrange(1, 1 << 30), "-l", "10.7.0.2", "10.7.0.1")

        for _ in range(3):
            load = host.spawn(*crowd(2000), stdout=subprocess.DEVNULL)
            time.sleep(chance.uniform(1.5, 3.5))
            home.restart()
            os.killpg(load.pid, KILL)  # perfdhcp goes on for a while when it is asked to end
            load.wait()
            home.router.wait_for("^ready ")
            found = restored(home.router)
            assert found >= seen and "damaged" not in home.router.console, home.router.tail()
            seen = found
        assert seen > 200
        wait_until(lambda: all(port.state == "up" for port in home.router.status().ports), 10, "links are up")
        host.run(*crowd(50), check=False)  # says 3 if one of them was too slow for it
        wait_written(home.router, seen)
        leases = state_of(home.router)["leases"]
        home.restart()
        assert restored(home.router) == leases


def test_a_disk_of_somebody_else_is_left_alone(tmp_path):
    """It is not written to, the console says what to do, and leases are given all the same."""
    path = image(tmp_path, 1 << 20)
    with open(path, "r+b") as file:
        file.seek(1080)
        file.write(b"\x53\xef")  # where ext4 has its mark
    before = hashlib.sha256(path.read_bytes()).digest()
    with Home(hosts=1, config=f"{LEASES} state=auto", extra=drive(path)) as home:
        home.router.wait_for("something else is on it; left alone.*truncate -s 1M")
        assert home.hosts[0].address()[0].startswith("192.168.8.")
        assert "state     none: disk 0" in home.router.status().text
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_a_disk_that_cannot_be_written(disk):
    """QEMU fails every write: one line says so, it is counted and tried again, and leases are given all the same."""
    with Home(hosts=1, config=f"{LEASES} state=auto", extra=drive(disk)):
        pass
    bad = ["-blockdev", f"driver=file,node-name=file,filename={disk}",
           "-blockdev", "driver=blkdebug,node-name=bad,image=file,inject-error.0.event=none,inject-error.0.iotype=write,"
           "inject-error.0.errno=5", "-device", f"{block()},drive=bad,werror=report"]
    with Home(hosts=1, config=f"{LEASES} state=auto", extra=bad) as home:
        home.router.wait_for("refuses to be written.*look after the host's storage")
        wait_until(lambda: state_of(home.router)["errors"] >= 2, 20, "it is tried again")
        assert home.router.console.count("refuses to be written") == 1
        assert home.hosts[0].run("ping", "-c", 1, "-W", 5, ROUTER).returncode == 0


class Storage:
    """A disk on a server (qemu-nbd) that can be stopped: then it answers nothing until it goes on."""

    def __init__(self, path):
        self.socket = path.with_suffix(".socket")
        self._server = subprocess.Popen(["qemu-nbd", "-t", "-f", "raw", "-k", str(self.socket), str(path)])
        wait_until(self.socket.exists, 10, "qemu-nbd listens")

    def drive(self, machine):
        """QEMU's arguments for the disk."""
        return drive(f"nbd:unix:{self.socket}", machine=machine)

    def hang(self):
        """Stops the server."""
        self._server.send_signal(signals.SIGSTOP)

    def go_on(self):
        """Lets it go on."""
        self._server.send_signal(signals.SIGCONT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.kill()
        self._server.wait(10)


def test_storage_that_hangs(disk):
    """Nothing waits for it but what is to be written, and the end for 3 s, by which no watchdog comes: QEMU, which waits
    for its storage when a disk is reset, is not asked to."""
    with Storage(disk) as storage, Home(hosts=1, config=f"{LEASES} state=auto watchdog=5s", machine="pc",
                                        extra=[*storage.drive("pc"), "-device", "i6300esb"]) as home:
        router, host = home.router, home.hosts[0]
        wait_written(router, 1)
        storage.hang()
        lease_by("udhcpc", host)
        router.wait_for(r"disk 0 does not answer: .*look after the host's storage", 20)
        lossless(host, SERVER, 50)
        assert re.search(r"^state +disk 0 has not answered for \d+ s$", router.status().text, re.MULTILINE)
        storage.go_on()
        router.wait_for("disk 0 answers again", 5)
        router.qmp("query-status")  # so that events come
        storage.hang()
        lease_by("udhcpc", host)
        router.qmp("system_powerdown")
        router.wait_for("disk 0 does not answer: what changed last is not on it", 10)
        storage.go_on()
        assert router.wait_exit(10) == 0
        assert "SHUTDOWN" in (events := router.events_to_the_end()) and "WATCHDOG" not in events
        router.stop(check=False)


def test_storage_that_hangs_at_start(disk):
    """The router starts without it."""
    with Storage(disk) as storage, Home(hosts=1, config=f"{LEASES} state=auto", machine="pc",
                                        extra=storage.drive("pc")) as home:
        wait_written(home.router, 1)
        with contextlib.ExitStack() as stack:
            storage.hang()
            stack.callback(storage.go_on)
            home.router.qmp("set-action", reboot="reset")
            since = len(home.router.console)
            home.router.qmp("system_reset")
            home.router.wait_for("it does not answer; leases will not survive a restart", 10, since)
            home.router.wait_for("^uplink .* gateway .*DHCP", 30, since)
            lossless(home.hosts[0], SERVER, 50)
