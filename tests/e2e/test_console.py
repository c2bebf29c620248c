# SPDX-License-Identifier: BSD-3-Clause
"""A console that takes what is written slowly, as a real serial port does, or not at all: nothing waits for it.

    [lan1] eth0 ---- port 1 [ router ] port 0 ---- eth0 [isp]
                              console
"""

import pytest

from lab.home import Home, lossless
from lab.outside import SERVER, wait_until

KEPT_BYTES = 131072  # by the router; kernel/serial.c


@pytest.fixture(scope="module", name="home")
def fixture_home():
    """The drawing, configured."""
    with Home(hosts=1) as made:
        yield made


def sent(text):
    """As the serial port sends it."""
    return text.replace("\n", "\r\n")


def first_words(text):
    """Of all lines; the first may be what was left of one before."""
    return {line.split()[0] for line in text.splitlines() if line}


def ask(home):
    """Enter; the router has seen it when it has answered a few pings since."""
    home.router.key("\n")
    lossless(home.hosts[0], SERVER, 5)


def test_what_was_written_comes_later(home):
    """More than the serial port takes at once, and less than is kept: all of it is there, in order."""
    status_bytes = len(sent(home.router.status().text))
    since = len(home.router.console)
    asked = KEPT_BYTES // status_bytes // 2
    with home.router.unread():
        for _ in range(asked):
            ask(home)
        assert home.router.idle_share(0.3) < 0.3, "a serial port that takes nothing is looked at ever less often"
    wait_until(lambda: home.router.console[since:].count("status    end") == asked, 10, "all is there")
    text = home.router.console[since:]
    assert text.count("status    up") == asked and "too slow" not in text
    assert first_words(text) == first_words(home.router.status().text), "no line is mixed with another"


def test_too_much_is_counted(home):
    """What is not kept is said to be lost, and what comes then is whole."""
    status_bytes = len(sent(home.router.status().text))
    since = len(home.router.console)
    asked = KEPT_BYTES * 2 // status_bytes
    with home.router.unread():
        for _ in range(asked):
            ask(home)
    lost = int(home.router.wait_for(r"^\[the serial port was too slow: (\d+) bytes lost\]$", 10, since).group(1))
    text = home.router.console[since:]
    assert abs(len(sent(text)) + lost - asked * status_bytes) < asked * 100, "but for numbers that grow"
    home.router.status().check_sum()
