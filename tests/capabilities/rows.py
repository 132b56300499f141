# SPDX-License-Identifier: BSD-3-Clause
"""The questions.  Each is a function of the scene that returns when the answer
is yes and raises (scene.NOES) when it is no: only what was seen to arrive is a
yes."""
import dataclasses
import typing

import columns
import family


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    title: str
    ask: typing.Callable
    group: str
    needs: str          # of column.lacks
    want: columns.Want  # of its family
    slow: bool          # not asked in ./check
    why_not: str        # why vmlan need not do what the kernel does


ALL = {}
GROUPS = {"rows_tcp": "TCP", "rows_udp": "UDP", "rows_icmp": "What the path says",
          "rows_lan": "The network", "rows_ip6": "The network"}


def row(key, title, needs="", want=columns.PLAIN, slow=False, group="", why_not="",
        families=family.ALL):
    """A question, asked over each family."""
    def add(ask):
        for f in families:
            assert key + f.suffix not in ALL, key
            ALL[key + f.suffix] = Row(
                key + f.suffix, f.text(title), ask, group or GROUPS[ask.__module__], needs,
                dataclasses.replace(want, family=f), slow, why_not)
        return ask
    return add
