# SPDX-License-Identifier: BSD-3-Clause
"""The peer: what somebody would run who has no Sluice. A small Linux VM, made of Debian's own packages.

Debian's kernel for virtual machines, nftables' masquerade, with or without a flowtable, and dnsmasq, on an initramfs
that holds nothing else. The packages are fetched into the build directory, unpacked there and kept; nothing of them is
installed, and nothing needs root. It is tuned as its own handbooks say, in its favour where there was a choice:

- no filter rules at all, where Sluice judges every packet; the CPU's mitigations off, and the clearing of pages before
  their use (it is three quarters of what TCP costs); no lease file; no ping before an offer;
- room for two million connections, 10,000 names in dnsmasq's cache, 65,000 leases.
"""

import glob
import os
import re
import shutil
import subprocess
import tempfile

from lab.hosts import LabError, need_programs
from lab.outside import GATEWAY

KERNEL = "linux-image-cloud-amd64"  # a package that depends on the newest kernel's
SHELL = "busybox-static"
PROGRAMS = ("/usr/sbin/nft", "/usr/sbin/dnsmasq")
MODULES = ("virtio_pci", "virtio_net", "nf_conntrack", "nf_tables", "nft_chain_nat", "nft_masq")
FLOWTABLE_MODULES = ("nf_flow_table", "nf_flow_table_inet", "nft_flow_offload")
PARAMETERS = {"nf_conntrack": "hashsize=524288"}
APPEND = "console=ttyS0 quiet mitigations=off init_on_alloc=0 tsc=reliable panic=-1"
READY = "peer is ready"
# Whoever is measured has these.
UPLINK = "203.0.113.2/24"
LAN = "10.1.0.1/16"
POOL = ("10.1.16.0", "10.1.255.254")

# `flowtable` on the kernel's command line reaches init as a variable, as every word there that no one else knows.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /var/lib/misc /bin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
ip link set lo up
while read -r module parameters; do insmod "$module" $parameters; done </modules
[ -z "$flowtable" ] || while read -r module; do insmod "$module"; done </modules.flowtable
/usr/sbin/nft -f /masquerade
[ -z "$flowtable" ] || /usr/sbin/nft -f /flowtable
ip addr add {uplink} dev eth0; ip addr add {lan} dev eth1
ip link set eth0 up; ip link set eth1 up
ip route add default via {gateway}
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 2000000 >/proc/sys/net/netfilter/nf_conntrack_max
echo 300 >/proc/sys/net/netfilter/nf_conntrack_udp_timeout
for n in 1 2 3; do echo 131072 >/proc/sys/net/ipv4/neigh/default/gc_thresh$n; done
/usr/sbin/dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root --group= --pid-file= --interface=eth1 \\
    --dhcp-authoritative --no-ping --leasefile-ro --dhcp-lease-max=65000 --dhcp-range={pool},12h \\
    --cache-size=10000 --dns-forward-max=2000 --server={dns} --quiet-dhcp --no-dhcpv6-interface=eth1
echo "{ready}"
exec sh
"""
MASQUERADE = """table ip nat {
    chain post { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
}
"""
FLOWTABLE = """table ip fast {
    flowtable fast { hook ingress priority 0; devices = { eth0, eth1 }; }
    chain forward { type filter hook forward priority 0; ip protocol { tcp, udp } flow add @fast; }
}
"""


def call(*argv, cwd=None):
    """Runs a program of Debian's and returns what it prints; its last words are the error's text."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv[:2])}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def unpack(package, directory, root):
    """Unpacks a package under root. It is fetched into directory, unless it is there."""
    pattern = os.path.join(directory, package + "_*.deb")
    if not glob.glob(pattern):
        call("apt-get", "-o", "APT::Sandbox::User=root", "download", package, cwd=directory)
    call("dpkg-deb", "-x", sorted(glob.glob(pattern))[-1], root)


def ordered(wanted, root):
    """The modules' files, each behind those it depends on; what is built into the kernel has no file."""
    files = {os.path.basename(path)[:-3].replace("-", "_"): path
             for path in glob.glob(os.path.join(root, "lib/modules/*/kernel/**/*.ko"), recursive=True)}
    order = []

    def add(name):
        path = files.get(name)
        if path and path not in order:
            with open(path, "rb") as file:
                depends = re.search(rb"\0depends=([^\0]*)\0", b"\0" + file.read())
            for other in filter(None, depends.group(1).decode().split(",")):
                add(other.replace("-", "_"))
            order.append(path)

    for name in wanted:
        add(name)
    return order


def libraries(program):
    """The shared libraries a program is started with."""
    return re.findall(r"(/\S+) \(0x", call("ldd", program))


class Archive:
    """An initramfs in the kernel's "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self):
        self.bytes = bytearray()
        self._made = set()
        self._count = 0

    def _add(self, name, mode, content):
        self._count += 1
        encoded = name.encode() + b"\0"
        fields = (self._count, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        self.bytes += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        for piece in (b"", content):
            self.bytes += piece
            self.bytes += bytes(-len(self.bytes) % 4)

    def add(self, name, content, mode=0o755):
        """A file, and the directories above it."""
        parts = name.split("/")[:-1]
        for n in range(1, len(parts) + 1):
            directory = "/".join(parts[:n])
            if directory not in self._made:
                self._made.add(directory)
                self._add(directory, 0o040755, b"")
        self._add(name, 0o100000 | mode, content)

    def copy(self, path, name=None):
        """A file of this machine, by its own name or another."""
        with open(path, "rb") as file:
            self.add(name or path.lstrip("/"), file.read())

    def finished(self):
        """The archive's bytes."""
        self._add("TRAILER!!!", 0, b"")
        return bytes(self.bytes)


def build(directory):
    """Makes the VM's two files under directory, unless they are there; returns them: (kernel, initramfs)."""
    kernel, initramfs = os.path.join(directory, "vmlinuz"), os.path.join(directory, "initramfs")
    newest = os.path.getmtime(os.path.abspath(__file__))
    if os.path.exists(initramfs) and os.path.getmtime(initramfs) > newest:
        return kernel, initramfs
    need_programs("apt-get", "apt-cache", "dpkg-deb", "ldd", *PROGRAMS)
    os.makedirs(directory, exist_ok=True)
    package = re.search(r"Depends: (linux-image-\d\S+)", call("apt-cache", "depends", KERNEL))
    if not package:
        raise LabError(f"apt knows no {KERNEL}; apt-get update may help")
    with tempfile.TemporaryDirectory(dir=directory) as root:
        unpack(package.group(1), directory, root)
        unpack(SHELL, directory, root)
        shutil.copyfile(glob.glob(os.path.join(root, "boot", "vmlinuz-*"))[0], kernel)
        content = filled(Archive(), root)
    with open(initramfs + ".part", "wb") as file:
        file.write(content)
    os.rename(initramfs + ".part", initramfs)
    return kernel, initramfs


def filled(archive, root):
    """The initramfs, of packages unpacked under root and programs of this machine."""
    archive.copy(os.path.join(root, "bin", "busybox"), "bin/busybox")
    for path in sorted({*PROGRAMS, *(library for program in PROGRAMS for library in libraries(program))}):
        archive.copy(path)
    base = ordered(MODULES, root)
    more = [path for path in ordered(MODULES + FLOWTABLE_MODULES, root) if path not in base]
    for path in base + more:
        archive.copy(path, "lib/modules/" + os.path.basename(path))

    def listed(paths):
        names = [os.path.basename(path) for path in paths]
        lines = [f"/lib/modules/{name} {PARAMETERS.get(name[:-3], '')}".rstrip() + "\n" for name in names]
        return "".join(lines).encode()

    archive.add("modules", listed(base))
    archive.add("modules.flowtable", listed(more))
    archive.add("masquerade", MASQUERADE.encode())
    archive.add("flowtable", FLOWTABLE.encode())
    archive.add("etc/passwd", b"root:x:0:0::/:/bin/sh\n", 0o644)
    archive.add("init", INIT.format(ready=READY, uplink=UPLINK, lan=LAN, gateway=GATEWAY, dns=GATEWAY,
                                    pool=",".join(POOL)).encode())
    return archive.finished()


def boot_arguments(files, flowtable=False):
    """What QEMU is told to start it with."""
    append = APPEND + (" flowtable=yes" if flowtable else "")
    return ["-kernel", files[0], "-initrd", files[1], "-append", append]
