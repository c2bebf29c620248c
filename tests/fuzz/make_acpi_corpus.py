#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_acpi to tests/fuzz/corpus/acpi/: the tables that QEMU's machines and OVMF have, as they lie in
a started guest's memory, and odd ones made by hand. Each is one byte of instructions (fuzz_acpi.c) and the memory from
BASE on, into which the tables are moved, one behind the other.

    make_acpi_corpus.py IMAGE BOOTX64.EFI     two kernels that do not end by themselves; sluice.elf and its loader
"""

import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

BASE = 0x7FE00000
AML_BYTES_MAX = 700  # of a table without what the reader looks for, the rest is not worth its place
SIGN = 3


def signed(bytes_, at=9):
    bytes_ = bytearray(bytes_)
    bytes_[at] = 0
    bytes_[at] = -sum(bytes_) % 256
    return bytes(bytes_)


def table(name, body, length=None):
    head = name + struct.pack("<IBB6s8sIII", 36 + len(body) if length is None else length, 1, 0, b"SLUICE", b"TABLES  ",
                              1, 0, 1)
    return signed(head + body)


def put_together(fadt, dsdt, others):
    """One memory: RSDP, XSDT and RSDT, FADT, DSDT and the others. The FADT's pointers are set."""
    tables, at = {}, 64
    places = []
    for t in [dsdt, *others]:
        at = (at + 15) // 16 * 16
        places.append(BASE + at)
        tables[at] = t
        at += len(t)
    fadt = bytearray(fadt)
    fadt[40:44] = struct.pack("<I", places[0])
    if len(fadt) >= 148:
        fadt[140:148] = struct.pack("<Q", places[0])
    places.insert(0, BASE + at)
    tables[at] = signed(fadt)
    at += len(fadt)
    listed = [places[0], *places[2:]]
    rsdt = table(b"RSDT", b"".join(struct.pack("<I", p) for p in listed))
    xsdt = table(b"XSDT", b"".join(struct.pack("<Q", p) for p in listed))
    tables[at], tables[at + len(rsdt)] = rsdt, xsdt
    rsdp = signed(b"RSD PTR \0SLUICE\2" + struct.pack("<I", BASE + at), 8)
    rsdp = signed(rsdp + struct.pack("<IQ4x", 36, BASE + at + len(rsdt)), 32)
    memory = bytearray(at + len(rsdt) + len(xsdt))
    for where, t in {0: rsdp, **tables}.items():
        memory[where:where + len(t)] = t
    return bytes(memory)


# ---- real ones ----

def dump(arguments):
    """All memory of a guest, once the router speaks in it."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = socket.socketpair()
        with subprocess.Popen(["qemu-system-x86_64", "-accel", "tcg", "-display", "none", "-nodefaults", "-m", "128",
                               "-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control",
                               "-serial", "stdio", *arguments], pass_fds=[theirs.fileno()],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as qemu:
            while b"started by" not in qemu.stdout.readline():
                pass
            answers = ours.makefile()
            path = os.path.join(folder, "memory")
            for request in ({"execute": "qmp_capabilities"}, {"execute": "pmemsave", "arguments": {
                    "val": 0, "size": 128 << 20, "filename": path}}):
                ours.sendall(json.dumps(request).encode())
                while "return" not in json.loads(answers.readline()):
                    pass
            qemu.kill()
            return pathlib.Path(path).read_bytes()


def at(memory, phys):
    return memory[phys:phys + struct.unpack_from("<I", memory, phys + 4)[0]]


def tables_of(memory):
    """The FADT, the DSDT and the other tables."""
    where = -1
    while True:
        where = memory.find(b"RSD PTR ", where + 1)
        if where < 0:
            raise SystemExit("no RSDP")
        if where % 16 == 0 and sum(memory[where:where + 20]) % 256 == 0:
            rsdt, = struct.unpack_from("<I", memory, where + 16)
            xsdt = struct.unpack_from("<Q", memory, where + 24)[0] if memory[where + 15] >= 2 else 0
            if max(rsdt, xsdt) + 8 > len(memory):
                continue
            root = at(memory, xsdt or rsdt)
            pointer = "<Q" if root[:4] == b"XSDT" else "<I"
            found = [at(memory, p) for p, in struct.iter_unpack(pointer, root[36:])] \
                if root[:4] in (b"RSDT", b"XSDT") else []
            fadt = next((t for t in found if t[:4] == b"FACP"), None)
            if fadt:
                break
    dsdt_at = struct.unpack_from("<Q", fadt, 140)[0] if len(fadt) >= 148 else 0
    return fadt, at(memory, dsdt_at or struct.unpack_from("<I", fadt, 40)[0]), [t for t in found if t[:4] != b"FACP"]


def without_the_dull(aml):
    """What stands around the names that are looked for."""
    kept = b""
    for name in (b"_S5_", b"_CBA", b"LNRO0005", b"ACPI0013"):
        where = aml.find(name, 36)
        if where >= 0:
            kept += aml[max(where - 8, 36):where + 120]
    return signed(aml[:4] + struct.pack("<I", 36 + len(kept)) + aml[8:36] + kept)


def real(arguments):
    fadt, dsdt, others = tables_of(dump(arguments))
    short = [t if len(t) <= AML_BYTES_MAX else without_the_dull(t) for t in others]
    return put_together(fadt, without_the_dull(dsdt), short)


def ovmf(folder, image):
    code = "/usr/share/OVMF/OVMF_CODE_4M.fd"
    variables = os.path.join(folder, "vars.fd")
    pathlib.Path(variables).write_bytes(pathlib.Path("/usr/share/OVMF/OVMF_VARS_4M.fd").read_bytes())
    return ["-M", "q35", "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={variables}", "-kernel", image]


# ---- odd ones ----

S5 = b"\x08_S5_\x12\x06\x04\x0a\x05\x00\x00\x00"
DSDT = table(b"DSDT", S5)


def fadt_of(revision, length, flags=1 << 10, **fields):
    body = bytearray(length - 36)
    for offset, text in {46: struct.pack("<HI", 9, 0xB2), 52: b"\xf1\xf0", 56: struct.pack("<I", 0x600),
                         64: struct.pack("<I", 0x604), 76: struct.pack("<II", 0x608, 0xAFE0), 88: b"\4\2\0\4\x10",
                         112: struct.pack("<IBBBBQB", flags, 1, 8, 0, 1, 0xCF9, 15), **fields.get("more", {})}.items():
        body[offset - 36:offset - 36 + len(text)] = text[:max(0, length - offset)]
    head = bytearray(table(b"FACP", bytes(body[:length - 36])))
    head[8] = revision
    return signed(head)


def generic(space, address):
    return struct.pack("<BBBBQ", space, 32, 0, 0, address)


def madt(*entries):
    return table(b"APIC", struct.pack("<II", 0xFEE00000, 1) + b"".join(entries))


def odd():
    plain = fadt_of(3, 244)
    ioapic = b"\1\x0c\0\0\0\0\xc0\xfe\0\0\0\0"
    for revision, length in ((1, 116), (2, 132), (3, 244), (4, 244), (5, 268), (6, 276)):
        yield f"fadt-{revision}", put_together(fadt_of(revision, length), DSDT, [])
    yield "fadt-short", put_together(fadt_of(6, 100), DSDT, [])
    yield "fadt-64", put_together(fadt_of(6, 276, more={
        148: generic(1, 0xB000), 172: generic(1, 0xB004), 208: generic(0, 0xFED00000), 220: generic(1, 1 << 40)}), DSDT, [])
    yield "fadt-reduced", put_together(fadt_of(6, 276, 1 << 20 | 1 << 10, more={244: generic(0, 0xFEA00000)}), DSDT, [])
    yield "fadt-twice", put_together(plain, DSDT, [fadt_of(6, 276, 1 << 20)])
    yield "reset-pci", put_together(fadt_of(3, 244, more={116: generic(2, 0x0000001F000000CF)}), DSDT, [])
    for name, aml in {"zero": b"\x12\x06\x04\0\0\0\0", "one": b"\x12\x06\x04\1\1\0\0", "word": b"\x12\x0a\2\x0b\5\0\x0b\2\0",
                      "length-2": b"\x12\x48\0\x04\x0a\5\x0a\5\0\0", "length-3": b"\x12\x89\0\0\x04\x0a\5\x0a\5\0\0",
                      "length-4": b"\x12\xca\0\0\0\x04\x0a\5\x0a\5\0\0", "cut": b"\x12\xca"}.items():
        yield "s5-" + name, put_together(plain, table(b"DSDT", b"\x08\\_S5_" + aml), [])
    yield "madt", put_together(plain, DSDT, [madt(
        b"\0\x08\0\0\1\0\0\0", ioapic, b"\2\x0a\0\0\2\0\0\0\0\0", b"\2\x0a\0\x09\x14\0\0\0\x0d\0")])
    yield "madt-zero", put_together(plain, DSDT, [madt(ioapic, b"\2\0", ioapic)])
    yield "madt-many", put_together(plain, DSDT, [madt(*[ioapic] * 12)])
    yield "mcfg", put_together(plain, DSDT, [table(b"MCFG", struct.pack("<8xQHBB4x", 0xB0000000, 0, 0, 255))])
    good = bytearray(put_together(plain, DSDT, []))
    root = good.index(b"XSDT")
    good[root + 36:root + 44] = struct.pack("<Q", BASE + root)
    yield "list-in-itself", bytes(good)
    good[root + 4:root + 8] = struct.pack("<I", 0xFFFFFFFF)
    yield "list-too-long", bytes(good)
    good[root + 4:root + 8] = bytes(4)
    yield "list-of-nothing", bytes(good)


def main():
    image, loader = sys.argv[1:]
    folder = pathlib.Path(__file__).parent / "corpus" / "acpi"
    folder.mkdir(parents=True, exist_ok=True)
    kernel = ["-kernel", image]
    with tempfile.TemporaryDirectory() as scratch:
        seeds = {"pc": real(["-M", "pc", *kernel]), "q35": real(["-M", "q35", *kernel]),
                 "microvm": real(["-M", "microvm,pcie=on,rtc=on,auto-kernel-cmdline=off", *kernel]),
                 "ovmf": real(ovmf(scratch, loader)), **dict(odd())}
    for name, memory in seeds.items():
        (folder / name).write_bytes(bytes([SIGN if name.startswith("s5") else 0]) + memory)


if __name__ == "__main__":
    main()
