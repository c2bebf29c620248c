# SPDX-License-Identifier: BSD-3-Clause
"""Hosts: machines made of namespaces.

Theory of operation. A Host is one process, the holder, that is number 1 of its own network, mount, process
and host-name namespaces. Everything that runs on the host is put in there with nsenter. The holder does
nothing but read a pipe whose other end is ours: when we close it, or die in any way, the holder ends, the
kernel ends every process of its process namespace, and the network goes with the last of them. So there is
nothing to clean up and no name to collide.

A host's NIC is a TAP whose file descriptor is made inside the host's network namespace and handed to QEMU:
what the router sends arrives at the host's own interface, with the offload header of virtio, and without
any bridge between.

/etc is a new one of symbolic links to the machine's, so that a host's DHCP client writes the host's own
resolv.conf with its usual script.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000

_libc = ctypes.CDLL(None, use_errno=True)

# What the holder does before it sleeps. It prints its process id as the rest of the machine knows it.
HOLDER = r"""
set -e
hostname "$1" 2>/dev/null || true
mount -t tmpfs tmpfs /run
mkdir /run/etc.real
mount --rbind /etc /run/etc.real
mount -t tmpfs tmpfs /etc
for entry in /run/etc.real/*; do ln -s "$entry" "/etc/${entry##*/}"; done
rm -f /etc/resolv.conf /etc/hosts /etc/nsswitch.conf /etc/hostname
echo "127.0.0.1 localhost" >/etc/hosts
echo "$1" >/etc/hostname
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >/etc/nsswitch.conf
: >/etc/resolv.conf
for directory in /var/lib/dhcp /var/lib/dhcpcd; do
    [ ! -d $directory ] || mount -t tmpfs tmpfs $directory
done
ip link set lo up
read -r pid rest </proc/self/stat
echo "$pid"
exec cat >/dev/null
"""


class LabError(Exception):
    """Something the lab needs is not there; the text says what to do."""


def become_root(argv):
    """Returns if we may make namespaces; otherwise starts argv again as root of a user namespace of ours."""
    if os.geteuid() == 0:
        return
    probe = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "--net", "true"],
                           capture_output=True, text=True, timeout=30)
    if probe.returncode != 0:
        raise LabError("this user may not make user namespaces (" + probe.stderr.strip() + ").\n"
                       "Run it as root, or let users make them:"
                       " sysctl -w kernel.unprivileged_userns_clone=1")
    sys.stdout.flush()
    os.execvp("unshare", ["unshare", "--user", "--map-root-user", "--mount", *argv])


def tun_node():
    """Path of the TUN device's node, made if we may; says what to do if it cannot be opened."""
    node = "/dev/net/tun"
    if not os.path.exists(node) and os.geteuid() == 0:
        with contextlib.suppress(OSError):
            os.makedirs("/dev/net", exist_ok=True)
            os.mknod(node, 0o666 | 0o020000, os.makedev(10, 200))
    try:
        os.close(os.open(node, os.O_RDWR))
    except FileNotFoundError:
        raise LabError(node + " does not exist. As root: modprobe tun") from None
    except PermissionError:
        raise LabError(node + " may be opened by root only. As root, once: chmod 666 " + node
                       + "\n(Debian's own rights for it), or run this as root.") from None
    except OSError as error:
        raise LabError(f"{node}: {error.strerror}. The kernel has no TUN driver; as root: modprobe tun") \
            from None
    return node


def need_programs(*names):
    """Says which of the programs are missing."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [name for name in names if not shutil.which(name, path=path)]
    if missing:
        raise LabError("missing programs: " + " ".join(missing) + "; `make deps` installs them")


def stop_process(process, grace_s=3.0):
    """Ends a process and the group it leads; returns its exit status."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(OSError, ValueError):
                stream.close()
    return process.returncode


class Host:
    """A machine with its own network, /etc/resolv.conf, DHCP leases and processes. A context manager."""

    def __init__(self, name):
        self.name = name
        self.taps = []
        self._spawned = []
        self._lock = threading.Lock()
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "sh", "-c", HOLDER, "holder", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, env=self._environment())
        line = self.holder.stdout.readline().strip()
        if not line:
            self.holder.stdin.close()
            why = self.holder.stderr.read().decode(errors="replace").strip()
            self.holder.wait()
            raise LabError(f"cannot make a host of namespaces: {why}\n"
                           "It takes root with CAP_SYS_ADMIN, or a kernel that lets users have namespaces.")
        self.pid = int(line)
        self.net_fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends everything on the host. May be called twice."""
        if self.holder is None:
            return
        for fd in (*self.taps, self.net_fd):
            with contextlib.suppress(OSError):
                os.close(fd)
        self.holder.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.holder.wait(5)
        for process in (*self._spawned, self.holder):
            stop_process(process)
        self.holder = None

    @staticmethod
    def _environment():
        return {**os.environ, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "LC_ALL": "C.UTF-8"}

    def command(self, *argv):
        """The command line that runs argv on this host."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", "--pid", "--uts", "--",
                *[str(word) for word in argv]]

    def spawn(self, *argv, **popen):
        """Starts a program on the host, in its own process group; it ends with the host at the latest."""
        for stream in ("stdin", "stdout", "stderr"):
            popen.setdefault(stream, subprocess.DEVNULL)
        process = subprocess.Popen(self.command(*argv), start_new_session=True,
                                   env=self._environment(), **popen)
        with self._lock:
            self._spawned.append(process)
        return process

    def run(self, *argv, check=True, timeout=60, stdin=None):
        """Runs a program on the host to its end. Returns a CompletedProcess with text; fails after timeout
        seconds, and when it fails and check is set, with what it printed."""
        process = subprocess.Popen(
            self.command(*argv), stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            start_new_session=True, env=self._environment())
        try:
            out, err = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"{self.name}: {' '.join(map(str, argv))}: not done after {timeout} s\n"
                                 f"{out}{err}") from None
        result = subprocess.CompletedProcess(argv, process.returncode, out, err)
        if check and result.returncode != 0:
            raise AssertionError(f"{self.name}: {' '.join(map(str, argv))}: status {result.returncode}\n"
                                 f"{out}{err}")
        return result

    def inside(self, function, *args):
        """Calls function in the host's network: sockets and devices it opens belong there for good.

        A thread of its own enters and ends there, because the way back may need rights we do not have.
        """
        outcome = []

        def enter():
            try:
                if _libc.setns(self.net_fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))
                outcome.append((function(*args), None))
            except BaseException as error:  # handed to the caller below
                outcome.append((None, error))

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        value, error = outcome[0]
        if error:
            raise error
        return value

    def frames(self, interface="eth0"):
        """A packet socket on the host's interface, for raw frames both ways."""
        every_protocol = socket.htons(0x0003)
        raw = self.inside(socket.socket, socket.AF_PACKET, socket.SOCK_RAW, every_protocol)
        raw.bind((interface, 0x0003))
        return raw

    def tap(self, interface="eth0", mac=None, vnet_hdr=True, mtu=None):
        """Makes the host's NIC and returns the descriptor for a Port. The descriptor stays the host's."""
        node = tun_node()
        flags = IFF_TAP | IFF_NO_PI | (IFF_VNET_HDR if vnet_hdr else 0)
        fd = self.inside(os.open, node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.taps.append(fd)
        self.inside(fcntl.ioctl, fd, TUNSETIFF, struct.pack("16sH22x", interface.encode(), flags))
        # IPv6 is off so that a capture holds only what a test has caused.
        self.sysctl(f"net/ipv6/conf/{interface}/disable_ipv6", 1)
        if mac:
            self.ip("link", "set", interface, "address", mac)
        if mtu:
            self.ip("link", "set", interface, "mtu", mtu)
        self.ip("link", "set", interface, "up")
        return fd

    def ip(self, *argv):
        """Runs ip on the host and returns what it prints."""
        return self.run("ip", *argv).stdout

    def sysctl(self, name, value):
        """Sets /proc/sys/NAME of the host's network; what the kernel does not have is passed over."""
        self.run("sh", "-c", f"[ ! -w /proc/sys/{name} ] || echo {value} >/proc/sys/{name}", check=False)

    def read(self, path):
        """The text of a file as the host sees it."""
        return self.run("cat", path).stdout

    def address(self, interface="eth0"):
        """(address, prefix length) of the interface, or (None, None)."""
        for line in self.ip("-4", "-o", "addr", "show", "dev", interface).splitlines():
            address, _, length = line.split()[3].partition("/")
            return address, int(length)
        return None, None

    def mac(self, interface="eth0"):
        """The interface's MAC, as text."""
        return self.ip("-o", "link", "show", "dev", interface).split("link/ether ")[1].split()[0]
