# SPDX-License-Identifier: BSD-2-Clause
"""What goes wrong, in two kinds: a request that is refused, and a CA that cannot work."""


class Refused(Exception):
    """A request that gets no certificate. `reason` is one word for programs, the text is for people."""

    def __init__(self, reason, text):
        super().__init__(text)
        self.reason = reason


class Broken(Exception):
    """The CA itself is wrong: its policy, its log, its keys."""
