# SPDX-License-Identifier: BSD-3-Clause
"""The ways a machine can start the router, with the configuration handed over as that way has it.

SLUICE_BOOT names one, and every router that a test does not start in a way of its own is started so.

Theory of operation. The images are made once a process, by tools/make-images as for anyone. In the disk's copy
sluice.cfg is replaced with mtools. A CD cannot be edited: its sluice.cfg is a comment as long as any configuration of
the tests, and the copy has the configuration written over it, in both places where the file lies.
"""

import functools
import os
import shutil
import subprocess
import tempfile

from . import router, uefi

ROOM_BYTES = 16384  # for the CD's sluice.cfg
PLACE = b"#" * (ROOM_BYTES - 1) + b"\n"


@functools.cache
def images():
    """The directory of the images, which goes when we do: a TemporaryDirectory."""
    directory = tempfile.TemporaryDirectory(prefix="sluice-images-")
    shutil.copy(router.IMAGE, f"{directory.name}/sluice.elf")
    shutil.copy(uefi.LOADER, f"{directory.name}/BOOTX64.EFI")
    with open(f"{directory.name}/place.cfg", "wb") as file:
        file.write(PLACE)
    subprocess.run([f"{router.ROOT}/tools/make-images", directory.name], check=True, timeout=120,
                   env={**os.environ, "CFG": f"{directory.name}/place.cfg"})
    return directory


def on_disk(directory, config):
    """sluice.img as an IDE or SATA disk."""
    path = f"{directory}/sluice.img"
    subprocess.run(["cp", "--sparse=always", f"{images().name}/sluice.img", path], check=True)
    subprocess.run(["mcopy", "-o", "-i", f"{path}@@1M", "-", "::/EFI/BOOT/sluice.cfg"], input=config, check=True)
    return ["-drive", f"if=none,id=image,format=raw,file={path}", "-device", "ide-hd,drive=image,bootindex=0"]


def on_disc(directory, config):
    """sluice.iso as a CD."""
    if len(config) >= ROOM_BYTES:
        raise ValueError(f"a configuration of {len(config)} bytes is too long for the CD of lab/boots.py")
    path = f"{directory}/sluice.iso"
    with open(f"{images().name}/sluice.iso", "rb") as file:
        disc = file.read()
    if disc.count(PLACE) != 2:
        raise ValueError("the CD has sluice.cfg in pieces, or not in two places")
    with open(path, "wb") as file:
        file.write(disc.replace(PLACE, config.ljust(ROOM_BYTES - 1) + b"\n"))
    return ["-drive", f"if=none,id=image,format=raw,media=cdrom,readonly=on,file={path}",
            "-device", "ide-cd,drive=image,bootindex=0"]


def by_kernel(_directory, config):
    """BOOTX64.EFI by -kernel, which firmware starts with load options."""
    return ["-kernel", uefi.LOADER, "-append", config.decode()]


WAYS = {  # (what is started, whether by UEFI)
    "iso-bios": (on_disc, False),
    "iso-uefi": (on_disc, True),
    "img-bios": (on_disk, False),
    "img-uefi": (on_disk, True),
    "efi-kernel": (by_kernel, True),
}


def arguments(way, directory, config, memory_mb):
    """QEMU's arguments for a way, which come behind its -m; files it needs are made in the directory."""
    media, by_uefi = WAYS[way]
    firmware = uefi.firmware(directory) + ["-m", str(max(memory_mb, uefi.MEMORY_MB))] if by_uefi else []
    return firmware + media(directory, config.encode())
