# SPDX-License-Identifier: BSD-3-Clause
"""What a person in front of the machine sees.

    QEMU (TCG) -kernel machine.elf -device VGA              what is in the VGA's memory, by QMP's pmemsave
      or OVMF and machine.efi, -device VGA or ramfb         the pixels, by QMP's screendump, read by the font
        kernel + tests/machine/app.c --- COM1 --> the same lines

"""

import json
import os
import re
import socket

import pytest

from test_machine import Running, command

VGA_TEXT, VGA_BYTES, COLUMNS, ROWS = 0xB8000, 0x8000, 80, 25
GLYPH_LINES, GLYPH_PIXELS = 16, 8


class Seen(Running):
    """A boot whose screen can be looked at."""

    def __init__(self, arguments, directory):
        self.directory = str(directory)
        super().__init__([*arguments, "-qmp", f"unix:{self.directory}/qmp,server=on,wait=off"])

    def qmp(self, *commands):
        """Gives QEMU commands, (name, arguments) each, and waits until they are done; the last one's answer."""
        with socket.socket(socket.AF_UNIX) as qmp:
            qmp.connect(self.directory + "/qmp")
            answers = qmp.makefile("rb")
            answers.readline()
            for name, arguments in (("qmp_capabilities", {}), *commands):
                qmp.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
                while "return" not in (answer := json.loads(answers.readline())):
                    assert "error" not in answer, answer
            return answer["return"]

    def memory(self, start, size):
        path = self.directory + "/memory"
        self.qmp(("pmemsave", {"val": start, "size": size, "filename": path}))
        with open(path, "rb") as file:
            return file.read()

    def vga_rows(self):
        """The rows of a VGA's text, all of which is grey on black."""
        cells = self.memory(VGA_TEXT, COLUMNS * ROWS * 2)
        assert set(cells[1::2]) == {0x07}
        text = cells[::2].decode("cp437")
        return [text[at:at + COLUMNS].rstrip() for at in range(0, len(text), COLUMNS)]

    def painted_rows(self, font):
        """The rows of a screen of pixels, and how many characters each has room for."""
        path = self.directory + "/screen.ppm"
        self.qmp(("screendump", {"filename": path}))
        with open(path, "rb") as file:
            picture = file.read()
        head = re.match(rb"P6\n(\d+) (\d+)\n255\n", picture)
        width, height = map(int, head.groups())
        pixels = picture[head.end():]
        assert len(pixels) == width * height * 3 and set(pixels) == {0, 255}
        lines = [pixels[at:at + width * 3:3] for at in range(0, len(pixels), width * 3)]
        rows = []
        for top in range(0, height - GLYPH_LINES + 1, GLYPH_LINES):
            glyphs = [b"".join(line[x:x + GLYPH_PIXELS] for line in lines[top:top + GLYPH_LINES])
                      for x in range(0, width, GLYPH_PIXELS)]
            rows.append("".join(font[glyph] for glyph in glyphs).rstrip())
        return rows, width // GLYPH_PIXELS


@pytest.fixture(name="font", scope="session")
def fixture_font(image):
    """The characters by their pixels, from the font that was built in."""
    with open(os.path.join(os.path.dirname(image), "screen_font.c"), encoding="ascii") as file:
        glyphs = [[int(line, 16) for line in re.findall("0x(..)", row)] for row in re.findall("{(0x.*)}", file.read())]
    assert len(glyphs) == 95
    return {bytes(255 * (line >> 7 - x & 1) for line in glyph for x in range(GLYPH_PIXELS)): chr(32 + number)
            for number, glyph in enumerate(glyphs)}


def wrapped(console, columns, since):
    """The console's lines, from the one that begins with since, as rows of a screen."""
    lines = console[console.index(since):].splitlines()
    return [line[at:at + columns].rstrip() for line in lines for at in range(0, max(len(line), 1), columns)]


def shown(rows):
    """All rows but the empty ones at the end."""
    while rows and not rows[-1]:
        rows = rows[:-1]
    return rows


def check_rows(do, console, rows, columns):
    """The screen shows what the serial port sent, as far as there is room; a panic from its beginning."""
    if do == "panic":
        sent = wrapped(console, columns, "panic: ")
        assert len(sent) > 10 and sent[-1] == "halted (panic=halt)"
        assert shown(rows) == (sent if len(sent) <= len(rows) else sent[:len(rows) - 1] + sent[-1:])
    else:
        sent = wrapped(console, columns, "loader ")
        assert len(sent) > len(rows) and "not for terminals: ?[2J ? ?" in sent
        assert len(shown(rows)) >= len(rows) // 2
        assert shown(rows) == sent[-len(shown(rows)):]


DEEDS = {"fill": ("do=fill", "sleeping\n"), "panic": ("do=panic panic=halt", "halted (panic=halt)\n")}


@pytest.mark.parametrize("do, machine, card", [("fill", "pc", "VGA"), ("fill", "q35", "cirrus-vga"), ("panic", "q35", "VGA")])
def test_vga_text(image, do, machine, card, tmp_path):
    text, end = DEEDS[do]
    with Seen(command(image, text, machine=machine, more=("-device", card)), tmp_path) as boot:
        boot.wait_for(end)
        check_rows(do, boot.seen, boot.vga_rows(), COLUMNS)


def test_panic_before_there_is_a_map(image, tmp_path):
    """What is shown is shown before the first page table of our own."""
    arguments = command(image, "", machine="pc", memory="1500K", more=("-device", "VGA", "-no-shutdown"))
    with Seen(arguments, tmp_path) as boot:
        boot.wait_for("last log lines:\n")
        while boot.qmp(("query-status", {}))["running"]:
            pass
        rows = shown(boot.vga_rows())
        assert rows == wrapped(boot.seen, COLUMNS, "panic: ")
        assert rows[0] == "panic: the loader's memory map has no usable memory above 1 MB"


def test_no_vga(image, tmp_path):
    """microvm has RAM where others have a VGA's text: nothing is written there."""
    with Seen(command(image, "do=idle", machine="microvm"), tmp_path) as boot:
        boot.wait_for("sleeping\n")
        assert set(boot.memory(VGA_TEXT, VGA_BYTES)) == {0}


@pytest.mark.parametrize("do, card", [("panic", "VGA"), ("fill", "ramfb"), ("fill", "virtio-gpu-pci")])
def test_uefi_framebuffer(image, firmware, font, do, card, tmp_path):
    """Where the firmware draws. A screen that only firmware can draw on is none."""
    text, end = DEEDS[do]
    arguments = command(image.replace(".elf", ".efi"), text, memory="128M", more=(*firmware, "-device", card))
    with Seen(arguments, tmp_path) as boot:
        boot.wait_for(end)
        if card == "virtio-gpu-pci":
            assert "framebuffer" not in boot.seen
            return
        base, width, height, line = re.search(
            r"framebuffer ([0-9a-f]+), (\d+) x (\d+), lines of (\d+) bytes, pixels of 4, white ffffff\n", boot.seen).groups()
        assert int(base, 16) % 4096 == 0 and int(line) >= 4 * int(width) >= 2560 and int(height) >= 480
        check_rows(do, boot.seen, *boot.painted_rows(font))
