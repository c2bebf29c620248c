# SPDX-License-Identifier: BSD-3-Clause
"""What the console prints when someone presses Enter, as numbers. The only place that knows its format."""

import dataclasses
import re

END_OF_STATUS = r"^sum: .*$"


@dataclasses.dataclass
class Status:
    """The counters of one moment."""

    received: int
    sent: int
    delivered: int
    dropped: int
    drops: dict
    text: str


def parse_status(text):
    """The console's text of one status, as a Status. An unknown format is an error, never zeros."""
    total = re.search(r"^sum: received (\d+) = sent (\d+) \+ delivered (\d+) \+ dropped (\d+)", text, re.M)
    if not total:
        raise AssertionError("no sum line in the status:\n" + text)
    drops = {name: int(count) for name, count in re.findall(r"^drop ([a-z0-9-]+) +(\d+)", text, re.M)}
    received, sent, delivered, dropped = map(int, total.groups())
    return Status(received, sent, delivered, dropped, drops, text)
