# SPDX-License-Identifier: BSD-3-Clause
"""The kernel on the machines it must run on, without a router on top.

    QEMU (TCG) -kernel machine.elf -append "do=NAME"        no network, no root
      kernel + tests/machine/app.c --- COM1 --> the lines these tests read

Each run is one boot of a few tenths of a second.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time

import pytest

MACHINES = ("pc", "q35", "microvm")
RUN_LIMIT_S = 90


def command(image, text, machine="q35", memory="16M", more=()):
    return ["qemu-system-x86_64", "-accel", "tcg", "-M", machine, "-m", memory, "-display", "none", "-nodefaults",
            "-no-reboot", "-serial", "stdio", "-kernel", image, "-append", text, *more]


def run(image, text, **options):
    """Boots to the end of the run; what came on the console."""
    done = subprocess.run(command(image, text, **options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=RUN_LIMIT_S, check=True)
    return done.stdout.decode(errors="replace").replace("\r", "")


class Running:
    """A boot to talk to."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()

    def wait_for(self, text):
        os.set_blocking(self.process.stdout.fileno(), False)
        end = time.monotonic() + RUN_LIMIT_S
        while text not in self.seen:
            assert time.monotonic() < end, f"no {text!r} in:\n{self.seen}"
            self.seen += (self.process.stdout.read() or b"").decode(errors="replace").replace("\r", "")
            time.sleep(0.01)

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()


# ---- boot and memory ----

@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("memory", ("16M", "8G"))
def test_boots_and_ends(image, machine, memory):
    text = run(image, "net=lan,nat log=debug", machine=machine, memory=memory)
    assert "loader PVH\n" in text
    assert "cmdline [net=lan,nat log=debug]\n" in text
    assert text.endswith("end\n")  # and power-off worked, or the run would not have ended
    total = int(re.search(r"total (\d+) KB", text).group(1))
    size = {"16M": 16 << 10, "8G": 8 << 20}[memory]
    assert size * 0.9 < total <= size
    ranges = [[int(n, 16) for n in pair] for pair in re.findall(r"ram ([0-9a-f]+)-([0-9a-f]+)", text)]
    assert ranges == sorted(ranges) and all(low < high for low, high in ranges)
    assert ranges[0][0] > 0x100000  # the image is not in it


@pytest.mark.parametrize("machine", MACHINES)
def test_all_memory_works(image, machine):
    """Each page of all that mem_alloc gives holds what was written, so nothing in use was given away."""
    text = run(image, "do=memory", machine=machine, memory="256M")
    pieces, wrong, left = map(int, re.search(r"memory (\d+) MB, (\d+) words wrong, (\d+) KB left", text).groups())
    assert wrong == 0
    assert pieces >= 252
    assert left < 2048


def test_allocations(image):
    assert "clear 0 wrong, huge refused" in run(image, "do=clear")


def test_large_pages(image):
    """1 GB pages where the CPU has them. Of 3 GB, q35 has one above 4 GB."""""
    text = run(image, "do=memory", memory="3G", more=("-cpu", "max,pdpe1gb=on"))
    assert " 0 words wrong" in text


def test_device_mappings(image):
    assert "apic mapped, ram refused, low refused, beyond refused, wrap refused" in run(image, "do=devices")


@pytest.mark.parametrize("machine", ("pc", "q35"))
def test_grub(image, machine, tmp_path):
    """Multiboot, from a CD as GRUB's tool makes it."""
    assert shutil.which("grub-mkrescue"), "grub-mkrescue is not installed; `make deps` does it"
    (tmp_path / "boot/grub").mkdir(parents=True)
    shutil.copy(image, tmp_path / "boot/sluice.elf")
    (tmp_path / "boot/grub/grub.cfg").write_text(
        'set timeout=0\nmenuentry x {\n multiboot /boot/sluice.elf net=lan,nat do=memory\n}\n')
    iso = str(tmp_path / "x.iso")
    subprocess.run(["grub-mkrescue", "-o", iso, str(tmp_path)], check=True, capture_output=True)
    arguments = command("", "", machine=machine, memory="64M")
    cut = arguments.index("-kernel")
    done = subprocess.run(arguments[:cut] + ["-cdrom", iso], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          timeout=RUN_LIMIT_S, check=True)
    text = done.stdout.decode(errors="replace").replace("\r", "")
    assert "loader multiboot\n" in text
    assert "cmdline [net=lan,nat do=memory]\n" in text
    assert " 0 words wrong" in text


@pytest.mark.parametrize("machine, memory", (("pc", "128M"), ("q35", "3G")))
def test_uefi(image, firmware, machine, memory):
    """What the firmware's map calls usable is: each page of it keeps what is written. And the machine goes off."""
    text = run(image.replace(".elf", ".efi"), "net=lan,nat do=memory", machine=machine, memory=memory, more=firmware)
    assert "loader UEFI\n" in text
    assert "cmdline [net=lan,nat do=memory]\n" in text
    total = int(re.search(r"total (\d+) KB", text).group(1))
    size = {"128M": 128 << 10, "3G": 3 << 20}[memory]
    assert size * 0.9 < total <= size
    assert " 0 words wrong" in text
    assert "framebuffer" not in text
    assert text.endswith("end\n")


def test_uefi_reset_starts_again(image, firmware):
    arguments = command(image.replace(".elf", ".efi"), "do=reset", memory="128M", more=firmware)
    arguments.remove("-no-reboot")
    with Running(arguments) as machine:
        for _ in range(2):
            machine.wait_for("loader UEFI")
            machine.seen = ""


def test_needs_long_mode(image):
    with Running(command(image, "", more=("-cpu", "qemu32"))) as machine:
        machine.wait_for("error: Sluice needs a 64-bit CPU")


def test_no_serial_port(image):
    """A machine without a UART does not hang for want of one."""
    assert run(image, "", machine="microvm,isa-serial=off") == ""


def test_nobody_reads_the_serial_port(image):
    """What a port that takes no more bytes costs is output, and not the time to wait for each of them."""
    ours, theirs = socket.socketpair()
    arguments = command(image, "do=talk", more=("-chardev", f"socket,id=c,fd={theirs.fileno()}"))
    arguments[arguments.index("stdio")] = "chardev:c"
    with ours, theirs:
        subprocess.run(arguments, pass_fds=[theirs.fileno()], timeout=RUN_LIMIT_S, check=True)


@pytest.mark.parametrize("without", ("pic", "rtc", "acpi"))
def test_machine_without(image, without):
    with Running(command(image, "do=sleep", machine=f"microvm,{without}=off")) as machine:
        machine.wait_for("end\n")


# ---- traps ----

FAULTS = {
    "null": "page fault: write through a null pointer",
    "text": "page fault: write at 0x[0-9a-f]+, not allowed there",
    "rodata": "page fault: write at 0x[0-9a-f]+, not allowed there",
    "data": "page fault: execution at 0x[0-9a-f]+, not allowed there",
    "heap": "page fault: execution at 0x[0-9a-f]+, not allowed there",
    "stackcode": "page fault: execution at 0x[0-9a-f]+, not allowed there",
    "unmapped": "page fault: read at 0xd0000000, nothing is mapped there",
    "overflow": "page fault: the main stack overflowed",
    "double": "double fault",
    "opcode": "invalid opcode",
    "divide": "divide error",
}


@pytest.mark.parametrize("do", FAULTS)
def test_fault(image, do):
    """Says what happened, the registers, who called, and what was logged; then the machine is reset."""
    text = run(image, f"do={do}")
    assert re.search(rf"^panic: {FAULTS[do]}", text, re.M), text
    assert re.search(r"^  rax [0-9a-f]{16}  rbx [0-9a-f]{16}", text, re.M)
    assert re.search(r"^  rip [0-9a-f]{16}  flg ", text, re.M)
    back = text[text.index("backtrace:"):]
    assert re.search(r"^  #\d+ +0x[0-9a-f]+ (app_main|run_\w+|recurse)\+0x", back, re.M), back
    assert f"cmdline [do={do}]" in text[text.index("last log lines:"):]
    assert "\nend\n" not in text


def test_panic(image):
    text = run(image, "do=panic")
    assert "panic: on purpose, 42\nbacktrace:\n" in text
    assert re.search(r"#0 +0x[0-9a-f]+ (panic_plainly|app_main)\+", text)


def test_check(image):
    text = run(image, "do=check")
    assert re.search(r"panic: assertion failed at tests/machine/app.c:\d+: boot->ram_count == 0\n", text)


def test_panic_in_a_handler(image):
    """The backtrace goes through the interrupt into what it interrupted."""
    text = run(image, "do=handler")
    names = re.findall(r"^  #\d+ +0x[0-9a-f]+ (\w+)\+", text, re.M)
    assert names[:3] == ["panic_in_handler", "irq_dispatch", "irq_common"], text
    assert names[-1] == "enter_64"


def test_panic_halt(image):
    with Running(command(image, "do=panic panic=halt")) as machine:
        machine.wait_for("halted (panic=halt)")
        time.sleep(0.3)
        assert machine.process.poll() is None


@pytest.mark.parametrize("machine", MACHINES)
def test_reset_starts_again(image, machine):
    arguments = command(image, "do=reset", machine=machine)
    arguments.remove("-no-reboot")
    with Running(arguments) as router:
        end = time.monotonic() + RUN_LIMIT_S
        while router.seen.count("loader PVH") < 3:
            assert time.monotonic() < end, router.seen
            router.wait_for("loader PVH")
            router.seen += (router.process.stdout.read() or b"").decode(errors="replace")
            time.sleep(0.05)


def test_nmi(image, tmp_path):
    path = str(tmp_path / "qmp")
    with Running(command(image, "do=idle", more=("-qmp", f"unix:{path},server=on,wait=off"))) as machine:
        machine.wait_for("sleeping\n")
        with socket.socket(socket.AF_UNIX) as qmp:
            qmp.connect(path)
            for name in ("qmp_capabilities", "inject-nmi"):
                qmp.sendall(json.dumps({"execute": name}).encode())
                time.sleep(0.1)
            machine.wait_for("panic: non-maskable interrupt")


def test_machine_check(image, tmp_path):
    path = str(tmp_path / "monitor")
    with Running(command(image, "do=idle", more=("-monitor", f"unix:{path},server=on,wait=off"))) as machine:
        machine.wait_for("sleeping\n")
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(path)
            monitor.sendall(b"mce 0 1 0xbe00000000000000 0x5 0 0\n")  # bank 1: valid, uncorrected, context corrupt
            machine.wait_for("panic: machine check")


# ---- interrupts and time ----

def test_interrupt_storm(image):
    """A line that never falls silent is masked and the loop goes on."""
    text = run(image, "do=storm")
    assert "error: interrupt line 4 never falls silent" in text
    assert "survived the storm\nend\n" in text


def test_vectors(image):
    vectors = int(re.search(r"vectors (\d+)", run(image, "do=vectors")).group(1))
    assert vectors >= 64


@pytest.mark.parametrize("machine", MACHINES)
def test_sleeps_as_long_as_asked(image, machine):
    """In virtual time, where nothing but the guest's own work takes any."""
    text = run(image, "do=sleep", machine=machine, more=("-icount", "shift=3,sleep=off"))
    slept = [int(us) for us in re.findall(r"slept (\d+) us", text)]
    assert len(slept) == 5
    assert all(20000 <= us < 20200 for us in slept), slept
    assert int(re.search(r"past deadlines (\d+) us", text).group(1)) < 1000


def test_sleeps_on_after_waking_early(image):
    """A wake-up before the deadline, here for want of timer bits, does not leave the rest without a timer."""
    text = run(image, "do=long", more=("-icount", "shift=3,sleep=off"))
    assert 200000000 <= int(re.search(r"slept (\d+) us", text).group(1)) < 200001000


@pytest.mark.parametrize("machine", MACHINES)
def test_typing_ends_a_sleep(image, machine):
    with Running(command(image, "do=echo", machine=machine)) as router:
        router.wait_for("type")
        for key in "ab":
            router.type(key)
            router.wait_for(f"key {key}")
        router.type("q")
        router.wait_for("end\n")


def test_idle_costs_nothing(image):
    """Processor time of QEMU while the kernel sleeps without a deadline."""
    with Running(command(image, "do=idle")) as machine:
        machine.wait_for("sleeping")
        time.sleep(0.5)

        def used_s():
            with open(f"/proc/{machine.process.pid}/stat", encoding="ascii") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        before = used_s()
        time.sleep(2)
        assert used_s() - before <= 0.04


def test_randomness(image):
    """Every boot another, unless a seed is given."""
    lines = [re.search(r"random (\w+) seeded (\w+)", run(image, "do=seed")).groups() for _ in range(2)]
    assert lines[0][0] != lines[1][0]
    assert lines[0][1] == lines[1][1]
