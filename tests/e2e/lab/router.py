# SPDX-License-Identifier: BSD-3-Clause
"""The router: the image under QEMU, its console, and QEMU's own control socket.

Theory of operation. QEMU is started with the ports' descriptors already open, so it needs no rights and no
names. Its serial port is its standard input and output; a thread keeps all that was printed, and waiting is
for words on that console. QMP runs over a socket pair. QEMU gets SIGKILL from the kernel if we die.
"""

import contextlib
import ctypes
import dataclasses
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

from .status import END_OF_STATUS, parse_status

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
QEMU = os.environ.get("SLUICE_QEMU", "qemu-system-x86_64")
QEMU_IS_NEW = "SLUICE_QEMU" in os.environ  # build/qemu-new/run, which has igb
IMAGE = os.environ.get("SLUICE_IMAGE", os.path.join(ROOT, "build", "sluice.elf"))

VIRTIO = "virtio-net-pci"
MMIO = "virtio-net-device"  # the same without PCI; only microvm has a bus for it
NIC = os.environ.get("SLUICE_NIC", VIRTIO)  # what every port is, unless a test says
BOOT = os.environ.get("SLUICE_BOOT", "pvh")  # or a way of lab/boots.py
BOOT_LIMIT_S = 120  # of firmware and loader

# Without ACPI microvm says on the command line where devices are; bare, it has neither PIC nor PIT nor RTC.
MACHINES = {"pc": "pc", "q35": "q35", "microvm": "microvm,pcie=on,rtc=on,auto-kernel-cmdline=off",
            "microvm-default": "microvm", "microvm-without-acpi": "microvm,acpi=off",
            "microvm-without-serial": "microvm,isa-serial=off",
            "microvm-bare": "microvm,acpi=off,pic=off,pit=off,rtc=off"}
PANIC = re.compile(r"\bpanic: ")
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass
class Port:
    """One NIC of the router: a TAP's descriptor, or a datagram socket of which each datagram is a frame."""

    fd: int
    kind: str = "tap"  # or "dgram"
    properties: str = ""  # more of the device's, "csum=off,gso=off"; tests that give virtio's are marked virtio
    mac: str = ""
    model: str = NIC

    @classmethod
    def frames(cls, properties="", mac="", model=NIC):
        """A port for frames made by hand: (port, our end of it)."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        port = cls(theirs.detach(), "dgram", properties, mac, model)
        return port, ours


class Router:
    """A booted router. A context manager: leaving it normally also checks that nothing panicked.

    A test that asks for a machine or for firmware has it, with virtio-net-pci where SLUICE_NIC says a NIC without PCI and
    it has no place for that. Others have q35, or microvm if a NIC has a place only there.
    """

    def __init__(self, ports, config="", machine=None, memory_mb=64, image=None, boot=None, extra=(),
                 echo=None, accel="tcg"):
        self.ports = list(ports)
        if boot is not None or not (machine or "microvm").startswith("microvm"):
            self.ports = [dataclasses.replace(port, model=VIRTIO) if port.model == MMIO else port for port in self.ports]
        machine = machine or ("microvm" if any(port.model == MMIO for port in self.ports) else "q35")
        self.config = config
        self._text = ""
        self._changed = threading.Condition()
        self._echo = echo
        self._stopped = False
        self._files = None
        if BOOT != "pvh" and boot is None and image is None and machine in ("pc", "q35"):
            from . import boots  # which knows this module
            self._files = tempfile.TemporaryDirectory(prefix="sluice-boot-")
            boot = boots.arguments(BOOT, self._files.name, config, memory_mb)
        ours, theirs = socket.socketpair()
        # microvm has no serial port of its own accord with -nodefaults; -serial makes one everywhere.
        argv = [QEMU, "-accel", accel, "-M", MACHINES[machine], "-cpu", "max", "-smp", "1",
                "-m", str(memory_mb), "-display", "none", "-nodefaults", "-no-reboot",
                "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
        argv += boot if boot is not None else ["-kernel", image or IMAGE]
        if boot is None and config:
            argv += ["-append", config]
        for number, port in enumerate(self.ports):
            argv += self._port_arguments(number, port, self._place(number, machine))
        argv += extra
        self.argv = argv
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[theirs.fileno(), *(port.fd for port in self.ports)], preexec_fn=_die_with_parent)
        theirs.close()
        self._qmp = ours
        self._qmp.settimeout(20)
        self._qmp_file = ours.makefile("rb")
        self._qmp_ready = False
        self._reading = threading.Event()
        self._reading.set()
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()
        if self._files:
            self._wait_for_loader()

    def _wait_for_loader(self):
        """Firmware and loader take their seconds before the router's time begins."""
        try:
            self.wait_for("started by (UEFI|multiboot)", BOOT_LIMIT_S)
        except AssertionError:
            self.stop(check=False)
            raise
        self.started = time.monotonic()

    @staticmethod
    def _port_arguments(number, port, place):
        if port.kind == "tap":
            backend = f"tap,id=net{number},fd={port.fd}"
        else:
            backend = f"dgram,id=net{number},local.type=fd,local.str={port.fd}"
        mac = port.mac or f"52:54:00:12:00:{number:02x}"
        device = f"{port.model},id=nic{number},netdev=net{number},mac={mac}"
        device += "," + port.properties if port.properties else ""
        before, where = place
        return ["-netdev", backend, *before, "-device", device + where]

    def _place(self, number, machine):
        """Where on the bus a port goes, if that must be said: (arguments before the device's, properties).

        The virtual functions of an igb lie 16 slots behind it and fill two: two ports, as on the chip, have a bus of their
        own. Where such a port stands among others, and the order of buses would be that of the ports, it has room, as far
        from the first slots as can be: those are the disk's the machine starts from.
        """
        models = {port.model for port in self.ports}
        if "igb" not in models:
            return [], ""
        if models == {"igb"} and machine == "q35":
            bus, function = divmod(number, 2)
            before = [] if function else ["-device", f"pcie-root-port,id=root{bus},chassis={bus}"]
            return before, f",bus=root{bus},addr=0.{function}" + ("" if function else ",multifunction=on")
        return [], f",addr={14 - 2 * (len(self.ports) - 1 - number):#x}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop(check=kind is None)

    def mac(self, number):
        """The MAC of a port, as text."""
        return self.ports[number].mac or f"52:54:00:12:00:{number:02x}"

    # ---- console ----

    def _read_console(self):
        while True:
            self._reading.wait()
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                break
            text = piece.decode(errors="replace").replace("\r", "")
            with self._changed:
                self._text += text
                self._changed.notify_all()
            if self._echo:
                self._echo(text)
        with self._changed:
            self._changed.notify_all()

    @property
    def console(self):
        """All that was printed so far."""
        with self._changed:
            return self._text

    def wait_for(self, pattern, timeout=30, since=0):
        """Waits until the console shows the pattern behind the offset since; returns the match."""
        compiled = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + timeout
        with self._changed:
            while True:
                match = compiled.search(self._text, since)
                if match:
                    return match
                left = end - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    why = f"not within {timeout} s" if left <= 0 else "QEMU ended"
                    raise AssertionError(f"{why}: console shows {pattern!r}\n{self.tail()}")
                self._changed.wait(min(left, 1.0))

    @contextlib.contextmanager
    def unread(self, pipe_bytes=4096):
        """Nobody reads the console: once this much waits to be read, QEMU's serial port takes no more."""
        fcntl.fcntl(self.process.stdout.fileno(), fcntl.F_SETPIPE_SZ, pipe_bytes)
        self._reading.clear()
        try:
            yield
        finally:
            self._reading.set()

    def tail(self, lines=40):
        """The console's last lines, for a failure's text."""
        return "--- router's console ---\n" + "\n".join(self._text.splitlines()[-lines:]) + "\n---"

    def key(self, text):
        """Types on the console."""
        os.write(self.process.stdin.fileno(), text.encode())

    def status(self, timeout=20):
        """Asks for the status with Enter and returns it parsed: a Status."""
        with self._changed:
            since = len(self._text)
        self.key("\n")
        end = self.wait_for(END_OF_STATUS, timeout, since)
        return parse_status(self.console[since:end.end()])

    # ---- QEMU ----

    def qmp(self, command, **arguments):
        """One QMP command; returns what it returns. Events on the way are passed over."""
        if not self._qmp_ready:
            self._qmp_file.readline()
            self._qmp_ready = True
            self.qmp("qmp_capabilities")
        request = {"execute": command, **({"arguments": arguments} if arguments else {})}
        self._qmp.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = json.loads(self._qmp_file.readline())
            if "error" in answer:
                raise AssertionError(f"QMP {command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def events_to_the_end(self):
        """The names of QMP's events that nobody has waited for, until QEMU ends."""
        return {json.loads(line).get("event") for line in self._qmp_file}

    def set_link(self, number, up):
        """Plugs or pulls a port's cable."""
        self.qmp("set_link", name=f"nic{number}", up=up)

    def cpu_seconds(self):
        """Processor time QEMU has used so far, user and system."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def idle_share(self, limit, seconds=2, attempts=4):
        """The share of a processor that QEMU takes while nothing is asked of it: the first that is below the limit, or the
        least, for it may yet have had something to do."""
        shares = []
        while len(shares) < attempts and (not shares or shares[-1] >= limit):
            before, start = self.cpu_seconds(), time.monotonic()
            time.sleep(seconds)  # the time itself is what is measured
            shares.append((self.cpu_seconds() - before) / (time.monotonic() - start))
        return min(shares)

    def wait_exit(self, timeout=30):
        """Waits for the machine to end by itself; returns QEMU's status."""
        return self.process.wait(timeout)

    def stop(self, check=True):
        """Ends QEMU; with check, fails if the router panicked or QEMU had ended before. May be called twice."""
        if self._stopped:
            return
        self._stopped = True
        ended = self.process.poll()
        if ended is None:
            self.process.kill()
            self.process.wait(10)
        self._reader.join(5)
        for file in (self.process.stdin, self.process.stdout, self._qmp_file, self._qmp):
            try:
                file.close()
            except OSError:
                pass
        if self._files:
            self._files.cleanup()
        if check:
            self.check_alive(ended)

    def check_alive(self, ended=None):
        """Fails if the console shows a panic, or if QEMU has ended (with the status ended)."""
        panic = PANIC.search(self._text)
        assert not panic, f"the router panicked ({panic.group()})\n{self.tail(80)}"
        assert ended is None, f"QEMU ended by itself, status {ended}\n{self.tail()}"


def accelerator(limit_s=2.0):
    """What QEMU should run the image with: "kvm" if it is seen to run with it here, else "tcg".

    /dev/kvm says little: there are machines that have it and whose guests never execute an instruction.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    with contextlib.ExitStack() as stack:
        router = Router([], accel="kvm")
        stack.callback(router.stop, check=False)
        try:
            router.wait_for(r"^ready ", timeout=limit_s)
        except AssertionError:
            return "tcg"
    return "kvm"


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
