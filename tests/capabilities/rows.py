# SPDX-License-Identifier: BSD-3-Clause
"""The questions.  Each is a function of the scene that returns when the answer
is yes and raises (scene.NOES) when it is no: only what was seen to arrive is a
yes."""
import dataclasses
import typing

import columns


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    title: str
    ask: typing.Callable
    group: str
    needs: str          # of column.lacks
    want: columns.Want
    slow: bool          # not asked in ./check
    why_not: str        # why vmlan need not do what the kernel does


ALL = {}
GROUPS = {"rows_tcp": "TCP", "rows_udp": "UDP", "rows_icmp": "What the path says",
          "rows_lan": "The network"}


def row(key, title, needs="", want=columns.PLAIN, slow=False, group="", why_not=""):
    def add(ask):
        assert key not in ALL, key
        ALL[key] = Row(key, title, ask, group or GROUPS[ask.__module__], needs, want,
                       slow, why_not)
        return ask
    return add
