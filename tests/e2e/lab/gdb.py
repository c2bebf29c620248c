# SPDX-License-Identifier: BSD-3-Clause
"""A debugger's grip on the router: QEMU's gdbstub, by the few words of GDB's remote protocol that a test needs."""

import os
import socket
import subprocess
import time

from . import router

JUMP_TO_ITSELF = "ebfe"


def stub(directory):
    """QEMU's arguments for a stub that hang() reaches."""
    return ["-chardev", f"socket,id=gdb,path={directory}/gdb,server=on,wait=off", "-gdb", "chardev:gdb"]


def address_of(function):
    """Where a function of the image is, by the image with symbols that lies beside it."""
    table = subprocess.run(["nm", router.IMAGE + ".full"], capture_output=True, text=True, timeout=20, check=True).stdout
    return next(int(line.split()[0], 16) for line in table.splitlines() if line.split()[-1] == function)


def hang(directory, function):
    """The function becomes an endless loop, in the router as it runs."""
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(20)
        talk.connect(os.path.join(directory, "gdb"))
        talk.sendall(b"+\x03")  # stop
        _ask(talk, "?")
        assert _ask(talk, f"M{address_of(function):x},2:{JUMP_TO_ITSELF}") == "OK"
        assert _ask(talk, f"m{address_of(function):x},2") == JUMP_TO_ITSELF
        _send(talk, "D")  # goes on, without a debugger
        time.sleep(0.1)


def _send(talk, text):
    talk.sendall(f"${text}#{sum(text.encode()) % 256:02x}".encode())


def _ask(talk, text):
    """The answer; what the stub says of its own accord (that the machine stopped) is passed over."""
    _send(talk, text)
    while True:
        answer = _packet(talk)
        if text == "?" or not answer.startswith(("T", "S")):
            return answer


def _packet(talk):
    while talk.recv(1) != b"$":
        pass
    text = b""
    while not text.endswith(b"#"):
        text += talk.recv(1)
    talk.recv(2)
    talk.sendall(b"+")
    return text[:-1].decode()
