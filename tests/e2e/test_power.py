# SPDX-License-Identifier: BSD-3-Clause
"""Ends and watchdogs: the power button, as `virsh shutdown` presses it, and a router that hangs.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
                              +- power button, watchdog, disk

Where no client is needed, port 0 is the only one, and its far end is the test.
"""

import contextlib
import re
import time

import pytest

import lab
from lab import gdb, uefi
from lab.clients import lease_by
from lab.home import ROUTER, Home
from lab.outside import wait_until
from test_state import drive, image, restored

SHUTDOWN_LIMIT_S = 10
WATCHDOG_S = 5
BROADCAST_TO_NOBODY = b"\xff" * 6 + b"\x02\0\0\0\0\x01" + b"\x88\xb5" + bytes(46)
WATCHDOGS = {"i6300esb": ("pc", ["-device", "i6300esb"]),
             "tco": ("q35", ["-global", "ICH9-LPC.noreboot=false"])}


def alone(config="", **options):
    """(a router that nobody uses, the other end of its port)"""
    port, far = lab.Port.frames()
    return lab.Router([port], f"net=lan,hostonly {config}", **options), far


def monitor(router, command):
    """What QEMU's monitor for people says."""
    return router.qmp("human-monitor-command", **{"command-line": command})


def press(router):
    """The power button, twice; the machine is off soon, and had said so."""
    router.qmp("system_powerdown")
    try:
        router.qmp("system_powerdown")
    except (OSError, ValueError):
        pass  # it was off already
    assert router.wait_exit(SHUTDOWN_LIMIT_S) == 0
    router.stop(check=False)
    assert router.console.endswith("power button: off\n"), router.tail()


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_button_wakes_an_idle_router(machine):
    """By its interrupt, line 9 of the 8259, which QEMU counts. watchdog=on is obeyed as far as there is one."""
    router, _far = alone("watchdog=on log=debug", machine=machine, extra=["-no-shutdown"])
    with router:
        router.wait_for({"pc": "watchdog  none is armed", "q35": "watchdog  tco at 00:1f.0"}[machine])
        router.wait_for("^.*ready ")
        assert "acpi: power button by line 9" in router.console, "said before log=debug was read"
        router.qmp("system_powerdown")
        router.wait_for("power button: off", SHUTDOWN_LIMIT_S)
        wait_until(lambda: router.qmp("query-status")["status"] == "shutdown", SHUTDOWN_LIMIT_S, "the machine is off")
        masked = int(re.search(r"pic1:.* imr=(\w+)", monitor(router, "info pic")).group(1), 16)
        assert not masked & 1 << 9 - 8, "line 9 is let in"
        assert re.search(r"^ *9: *[1-9]", monitor(router, "info irq"), re.MULTILINE), "and has come"


def test_button_under_uefi(tmp_path):
    """The loader leaves it to the router."""
    path = uefi.volume(tmp_path, {uefi.REMOVABLE: uefi.LOADER})
    router, _far = alone(memory_mb=uefi.MEMORY_MB, boot=uefi.firmware(tmp_path) + uefi.disk(path))
    with router:
        router.wait_for("^.*ready ", 90)
        press(router)


def test_leases_are_on_the_disk(tmp_path):
    """One that was given a moment before, under load, is there after the next start."""
    with Home(config="net=lan,nat,lease=1h state=auto", leases=False, machine="q35",
              extra=drive(image(tmp_path, 1 << 20), machine="q35")) as home:
        home.router.wait_for("^.*ready ")
        lease = lease_by("udhcpc", home.hosts[0])
        home.hosts[0].spawn("ping", "-f", "-q", ROUTER)
        press(home.router)
        home.restart()
        assert restored(home.router) == 1
        assert lease_by("udhcpc", home.hosts[0]).address == lease.address


def test_watchdogs(tmp_path):
    """Both reset a router that hangs, and no other: not one that has nothing to do, nor one that has much to do, nor one
    that has halted to be read. All at once, as each takes its time."""
    with contextlib.ExitStack() as stack:
        routers, ends = {}, {}
        for name, (machine, extra) in WATCHDOGS.items():
            directory = tmp_path / name
            directory.mkdir()
            routers[name], ends[name] = alone(f"watchdog={WATCHDOG_S}s", machine=machine,
                                              extra=[*extra, *gdb.stub(directory)])
        machine, extra = WATCHDOGS["i6300esb"]
        halted, _far = alone(f"watchdog={WATCHDOG_S}s panic=halt", machine=machine, extra=extra)
        for router in [*routers.values(), halted]:
            stack.enter_context(router)
        for name, router in routers.items():
            router.wait_for(f"watchdog +{name} at .* {WATCHDOG_S} s")
        for router in [*routers.values(), halted]:
            router.wait_for("^.*ready ")
        halted.qmp("inject-nmi")
        halted.wait_for("halted")
        ends["tco"].settimeout(5)
        end = time.monotonic() + WATCHDOG_S * 1.3
        while time.monotonic() < end:
            ends["tco"].send(BROADCAST_TO_NOBODY)
        for name, router in routers.items():
            assert f"watchdog  {name}  {WATCHDOG_S} s  fed " in router.status().text
            router.qmp("query-status")  # so that events come
            gdb.hang(tmp_path / name, "clock_now_us")
        for router in routers.values():
            assert router.wait_exit(WATCHDOG_S * 3) == 0  # a reset, which -no-reboot makes an end
            assert {"WATCHDOG", "SHUTDOWN"} <= router.events_to_the_end()
            router.stop(check=False)
        assert halted.process.poll() is None, "panic=halt is there to be read"
        halted.stop(check=False)
