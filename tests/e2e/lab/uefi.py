# SPDX-License-Identifier: BSD-3-Clause
"""UEFI machines: OVMF as firmware, and the volumes it boots from.

QEMU's arguments are made here; the router is lab.router's as ever: Router(ports, boot=firmware(dir) + stick(...)).
"""

import os
import shutil
import subprocess

from . import router
from .hosts import LabError

LOADER = os.environ.get("SLUICE_EFI", os.path.join(os.path.dirname(router.IMAGE), "BOOTX64.EFI"))
OVMF = "/usr/share/OVMF"
MEMORY_MB = 256  # firmware takes part of it

REMOVABLE = "EFI/BOOT/BOOTX64.EFI"  # what is started of a volume that firmware knows nothing about


def firmware(directory):
    """OVMF without Secure Boot, with variables of its own that are thrown away."""
    code, variables = f"{OVMF}/OVMF_CODE_4M.fd", os.path.join(directory, "vars.fd")
    if not os.path.exists(code):
        raise LabError("OVMF is missing; `make deps` installs it")
    shutil.copy(f"{OVMF}/OVMF_VARS_4M.fd", variables)
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={variables}"]


def volume(directory, files):
    """A FAT volume, made by mtools of {path: bytes, or the name of a file}; its name."""
    path = os.path.join(directory, "esp.img")
    _run("mformat", "-C", "-i", path, "-T", "16384", "-h", "16", "-s", "32", "::")
    made = set()
    for name, content in files.items():
        above = ""
        for part in name.split("/")[:-1]:
            above += "/" + part
            if above not in made:
                _run("mmd", "-i", path, "::" + above)
                made.add(above)
        if isinstance(content, bytes):
            _run("mcopy", "-i", path, "-", "::/" + name, stdin=content)
        else:
            _run("mcopy", "-i", path, content, "::/" + name)
    return path


def disk(path):
    """The volume as a virtio disk."""
    return ["-drive", f"if=none,id=esp,format=raw,readonly=on,file={path}",
            "-device", "virtio-blk-pci,drive=esp,bootindex=0"]


def stick(path):
    """The volume as a USB stick."""
    return ["-drive", f"if=none,id=esp,format=raw,file={path}", "-device", "qemu-xhci",
            "-device", "usb-storage,drive=esp,bootindex=0"]


def cdrom(path):
    """A CD whose El Torito image is the volume."""
    directory = os.path.dirname(path)
    tree, disc = os.path.join(directory, "tree"), os.path.join(directory, "esp.iso")
    os.mkdir(tree)
    shutil.copy(path, tree)
    _run("xorriso", "-as", "mkisofs", "-o", disc, "-e", "esp.img", "-no-emul-boot", tree)
    return ["-drive", f"if=none,id=esp,format=raw,media=cdrom,readonly=on,file={disc}",
            "-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=esp,bootindex=0"]


def _run(*argv, stdin=None):
    done = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    if done.returncode:
        raise LabError(f"{argv[0]}: {done.stdout.decode(errors='replace')}")
