# SPDX-License-Identifier: BSD-3-Clause
"""What `make images` makes, started as people start it.

    [lan1] eth0 ---- port 1 [ router, of an image ] port 0 ---- eth0 [isp] 198.51.100.10
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree

import pytest

import lab
from lab import uefi
from lab.clients import lease_by
from lab.home import Home
from lab.outside import SERVER
from lab.router import NIC

TOOL = os.path.join(lab.router.ROOT, "tools", "make-images")
BOOT_LIMIT_S = 90


@pytest.fixture(name="images", scope="module")
def fixture_images(tmp_path_factory):
    """The directory with the images, made with a configuration of the tests'."""
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
    kind = {"qcow2": "qcow2", "vmdk": "vmdk"}.get(path.suffix[1:], "raw")
    made = ["-drive", f"if=none,id=image,format={kind},snapshot=on,file={path}"]
    for device in devices:
        made += ["-device", device]
    return made


STICK = ["qemu-xhci", "usb-storage,drive=image,bootindex=0"]
DISK = ["ide-hd,drive=image,bootindex=0"]  # IDE on pc, SATA on q35
CD = ["ide-cd,drive=image,bootindex=0"]
VIRTIO_DISK = ["virtio-blk-pci,drive=image,bootindex=0"]


@pytest.mark.parametrize("machine,name,devices,bios,nic", [
    ("pc", "sluice.iso", CD, True, NIC),
    ("q35", "sluice.iso", STICK, True, NIC),
    ("q35", "sluice.iso", CD, False, NIC),
    ("pc", "sluice.iso", STICK, False, NIC),
    ("pc", "sluice.img", STICK, False, NIC),
    ("q35", "sluice.img", DISK, False, NIC),
    ("pc", "sluice.img", STICK, True, NIC),
    ("q35", "sluice.qcow2", VIRTIO_DISK, True, NIC),
    ("pc", "sluice.vmdk", DISK, True, "e1000-82545em"),  # what sluice.ova asks for, as VMware has it
], ids=["iso-bios-cd", "iso-bios-stick", "iso-uefi-cd", "iso-uefi-stick", "img-uefi-stick", "img-uefi-disk",
        "img-bios-stick", "qcow2-bios-virtio", "vmdk-bios-ide"])
def test_boots(images, machine, name, devices, bios, nic, tmp_path):
    """A lease and a ping; and what the configuration file says counts, whoever read it."""
    boot = ([] if bios else uefi.firmware(tmp_path)) + drive(images / name, *devices)
    with Home(machine=machine, memory_mb=64 if bios else uefi.MEMORY_MB, leases=False, boot=boot, nics=nic) as home:
        home.router.wait_for(r"^ready ", BOOT_LIMIT_S)
        assert f"started by {'multiboot' if bios else 'UEFI'}" in home.router.console
        assert lease_by("udhcpc", home.hosts[0]).domain == "of-the-image"
        assert home.hosts[0].run("ping", "-c", 1, "-W", 5, SERVER).returncode == 0


def test_the_configuration_can_be_edited(images):
    """The volume in the disk image is where the documentation says, and holds the file beside the loader."""
    path = f"{images / 'sluice.img'}@@1M"
    listed = subprocess.run(["mdir", "-b", "-i", path, "::/EFI/BOOT"], capture_output=True, text=True, check=True).stdout
    assert {line.rsplit("/", 1)[1] for line in listed.split()} == {"BOOTX64.EFI", "sluice.cfg"}
    text = subprocess.run(["mtype", "-i", path, "::/EFI/BOOT/sluice.cfg"], capture_output=True, text=True, check=True).stdout
    assert text == "net=lan,nat,domain=of-the-image\n"


@pytest.mark.parametrize("text,words", [
    (b"# The attic's.\nfrobnicate=1\n", r"(?s)sluice\.cfg, line 2, column 1: .*frobnicate.*nothing is forwarded"),
    (b"", r"^ready "),
    (None, r"^ready "),
], ids=["mistake", "empty", "none"])
def test_a_bios_takes_the_file_as_it_is(images, text, words, tmp_path):
    """By GRUB: edited as the documentation says, with a mistake; emptied and removed, a home router."""
    image = tmp_path / "edited.img"
    subprocess.run(["cp", "--sparse=always", images / "sluice.img", image], check=True)
    if text is None:
        subprocess.run(["mdel", "-i", f"{image}@@1M", "::/EFI/BOOT/sluice.cfg"], check=True)
    else:
        subprocess.run(["mcopy", "-o", "-i", f"{image}@@1M", "-", "::/EFI/BOOT/sluice.cfg"], input=text, check=True)
    port, _frames = lab.Port.frames()
    with lab.Router([port], machine="pc", boot=drive(image, *VIRTIO_DISK)) as router:
        router.wait_for(words, BOOT_LIMIT_S)


def test_the_same_input_gives_the_same_bytes(images, tmp_path):
    """Made again, somewhere else, later, in another time zone and of files with other dates and rights."""
    for name in ("sluice.elf", "BOOTX64.EFI", "my.cfg"):
        shutil.copyfile(images / name, tmp_path / name)
        os.chmod(tmp_path / name, 0o600)
    subprocess.run([TOOL, tmp_path], timeout=120, check=True, umask=0o077,
                   env={**os.environ, "CFG": str(tmp_path / "my.cfg"), "TZ": "Asia/Kathmandu"})
    for kind in ("img", "qcow2", "vmdk", "ova", "iso"):
        made = [hashlib.sha256((directory / f"sluice.{kind}").read_bytes()).digest() for directory in (images, tmp_path)]
        assert made[0] == made[1], f"two of sluice.{kind} differ"


OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
RASD = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"


def test_the_appliance(images):
    """The OVA holds, in the standard's order, a descriptor that fits its disk, and their right digests (DSP0243, 5 and 8)."""
    with tarfile.open(images / "sluice.ova") as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}
    assert list(files) == ["sluice.ovf", "sluice.mf", "sluice.vmdk"]
    for name in ("sluice.ovf", "sluice.vmdk"):
        assert f"SHA256({name})= {hashlib.sha256(files[name]).hexdigest()}\n" in files["sluice.mf"].decode()
    root = xml.etree.ElementTree.fromstring(files["sluice.ovf"])
    [file], [disk] = root.iter(f"{OVF}File"), root.iter(f"{OVF}Disk")
    assert file.get(f"{OVF}href") == "sluice.vmdk" and int(file.get(f"{OVF}size")) == len(files["sluice.vmdk"])
    assert int(disk.get(f"{OVF}capacity")) == os.path.getsize(images / "sluice.img")
    assert disk.get(f"{OVF}fileRef") == file.get(f"{OVF}id")
    networks = [network.get(f"{OVF}name") for network in root.iter(f"{OVF}Network")]
    items = [{part.tag.removeprefix(RASD): part.text for part in item} for item in root.iter(f"{OVF}Item")]
    cards = [item["Connection"] for item in items if item["ResourceType"] == "10" and item["ResourceSubType"] == "E1000"]
    assert cards == networks == ["Outside", "Inside"]
    parents = [item["Parent"] for item in items if item.get("HostResource") == f"ovf:/disk/{disk.get(f'{OVF}diskId')}"]
    assert parents == [item["InstanceID"] for item in items if item["ResourceType"] == "5"]
    assert len({item["InstanceID"] for item in items}) == len(items)
