# SPDX-License-Identifier: BSD-3-Clause
"""What `make images` makes, started as people start it.

    [lan1] eth0 ---- port 1 [ router, of an image ] port 0 ---- eth0 [isp] 198.51.100.10
"""

import os
import shutil
import subprocess

import pytest

import lab
from lab import uefi
from lab.clients import lease_by
from lab.home import Home
from lab.outside import SERVER

TOOL = os.path.join(lab.router.ROOT, "tools", "make-images")
BOOT_LIMIT_S = 90


@pytest.fixture(name="images", scope="module")
def fixture_images(tmp_path_factory):
    """The directory with both images, made with a configuration of the tests'."""
    directory = tmp_path_factory.mktemp("images")
    shutil.copy(lab.router.IMAGE, directory / "sluice.elf")
    shutil.copy(uefi.LOADER, directory / "BOOTX64.EFI")
    (directory / "my.cfg").write_text("net=lan,nat,domain=of-the-image\n", "ascii")
    done = subprocess.run([TOOL, directory], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, "CFG": str(directory / "my.cfg")})
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def drive(path, *devices):
    """QEMU's arguments for a copy-on-write drive of an image, in the device that comes last."""
    made = ["-drive", f"if=none,id=image,format=raw,snapshot=on,file={path}"]
    for device in devices:
        made += ["-device", device]
    return made


@pytest.mark.parametrize("machine,name,devices,bios", [
    ("pc", "sluice.iso", ["ide-cd,drive=image,bootindex=0"], True),
    ("q35", "sluice.iso", ["qemu-xhci", "usb-storage,drive=image,bootindex=0"], True),
    ("q35", "sluice.iso", ["ide-cd,drive=image,bootindex=0"], False),
    ("pc", "sluice.iso", ["qemu-xhci", "usb-storage,drive=image,bootindex=0"], False),
    ("pc", "sluice.img", ["qemu-xhci", "usb-storage,drive=image,bootindex=0"], False),
    ("q35", "sluice.img", ["ide-hd,drive=image,bootindex=0"], False),
], ids=["iso-bios-cd", "iso-bios-stick", "iso-uefi-cd", "iso-uefi-stick", "img-uefi-stick", "img-uefi-disk"])
def test_boots(images, machine, name, devices, bios, tmp_path):
    """A lease and a ping. What the configuration file says counts under UEFI; GRUB's menu has its own line."""
    boot = ([] if bios else uefi.firmware(tmp_path)) + drive(images / name, *devices)
    with Home(machine=machine, memory_mb=uefi.MEMORY_MB, leases=False, boot=boot) as home:
        home.router.wait_for(r"^ready ", BOOT_LIMIT_S)
        assert f"started by {'multiboot' if bios else 'UEFI'}" in home.router.console
        assert lease_by("udhcpc", home.hosts[0]).domain == ("lan" if bios else "of-the-image")
        assert home.hosts[0].run("ping", "-c", 1, "-W", 5, SERVER).returncode == 0


def test_the_configuration_can_be_edited(images):
    """The volume in the disk image is where the documentation says, and holds the file beside the loader."""
    path = f"{images / 'sluice.img'}@@1M"
    listed = subprocess.run(["mdir", "-b", "-i", path, "::/EFI/BOOT"], capture_output=True, text=True, check=True).stdout
    assert {line.rsplit("/", 1)[1] for line in listed.split()} == {"BOOTX64.EFI", "sluice.cfg"}
    text = subprocess.run(["mtype", "-i", path, "::/EFI/BOOT/sluice.cfg"], capture_output=True, text=True, check=True).stdout
    assert text == "net=lan,nat,domain=of-the-image\n"
