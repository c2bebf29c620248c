# SPDX-License-Identifier: BSD-3-Clause
"""`make run` as a person sees it (its script; packages and the build are make's part).

    [LAN host] eth0 ---- port 1 [ router ] port 0 ---- eth0 [outside]
"""

import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

import lab

SCRIPT = os.path.join(lab.router.ROOT, "tools", "run")
SHOWN = [r"router .*Sluice", r"lease 192\.168\.8\.\d+, mask 255\.255\.255\.0, router 192\.168\.8\.1",
         r"files\.example is 198\.51\.100\.10", r"fetched 50 MB through NAT in [\d.]+ s, \d+ Mb/s, checksum right"]


def expect_all(text):
    """Everything that is to be seen, in its order."""
    at = 0
    for pattern in SHOWN:
        found = re.compile(pattern).search(text, at)
        assert found, f"{pattern!r} is not shown in its place:\n{text}"
        at = found.end()


def test_without_a_terminal_it_ends_by_itself():
    """Console, lease, name, file; and the end."""
    done = subprocess.run([sys.executable, SCRIPT], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    expect_all(done.stdout)


class Terminal:
    """A program on a terminal of its own, and what it has printed."""

    def __init__(self, *argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        self.text = ""

    def wait_for(self, pattern, timeout=60):
        """Reads until the pattern is seen behind what was waited for before."""
        end = time.monotonic() + timeout
        seen = len(self.text)
        while not re.search(pattern, self.text[seen:]):
            left = end - time.monotonic()
            assert left > 0, f"not within {timeout} s: {pattern!r}\n{self.text}"
            if select.select([self.fd], [], [], left)[0]:
                piece = os.read(self.fd, 65536).decode(errors="replace")
                self.text += re.sub(r"\x1b\[[0-9;]*m|\r", "", piece)

    def type(self, text):
        """What the person types."""
        os.write(self.fd, text.encode())

    def end(self, timeout=30):
        """Waits for the program's end; returns its status."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        raise AssertionError(f"it has not ended:\n{self.text}")


@pytest.fixture(name="terminal")
def fixture_terminal():
    """The script on a terminal, killed if the test leaves it running."""
    made = Terminal(sys.executable, SCRIPT)
    yield made
    try:
        os.kill(made.pid, 9)
        os.waitpid(made.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
    os.close(made.fd)


def test_with_a_terminal_there_is_a_shell_on_the_lan_host(terminal):
    """The shell is the LAN host's; Ctrl-C interrupts what runs in it, not the lab; exit ends it all."""
    terminal.wait_for(r"\nLAN host \$ ")
    expect_all(terminal.text)
    terminal.type("curl -s http://files.example/who\n")
    terminal.wait_for(r"\n203\.0\.113\.\d+ \d+\n")
    terminal.type("ping 192.168.8.1\n")
    terminal.wait_for(r"icmp_seq=1 ")  # from now on it answers Ctrl-C with its statistics
    terminal.type("\x03")
    terminal.wait_for(r"packets transmitted[^$]*LAN host \$ ")
    terminal.type("exit\n")
    assert terminal.end() == 0, terminal.text
