# SPDX-License-Identifier: BSD-3-Clause
"""The answers: how they are found, written down, and compared."""
import re

import family
import lab
import rows
import rows_tcp  # noqa: F401  (they fill rows.ALL, in this order)
import rows_udp  # noqa: F401
import rows_icmp  # noqa: F401
import rows_lan
import rows_ip6  # noqa: F401
from scene import NOES

YES, NO, NA = "yes", "no", "n/a"
LATE = "nothing comes"
ORDER = ["TCP", "UDP", "What the path says", "The network", "Services", "Forwards",
         rows_lan.BEYOND]
HEAD = """# What works, and where

Each question is asked by traffic: a kernel that plays the machine, an engine
between, and a path of four routers behind it (`tests/capabilities/scene.py`);
yes is what was seen to arrive. The same questions over IPv4 and over IPv6, which
the kernel masquerades too (NAT66). Made by

```
sudo tests/capabilities/run --md doc/capabilities.md
```

"""
BEYOND = """The kernel rewrites packets and passes them on; an engine without root has
sockets instead, and what a socket does not tell or take ends there. Asked all
the same, and no by design:

"""


def chosen(keys=None, slow=True):
    got = [r for r in rows.ALL.values() if (not keys or r.key in keys) and
           (slow or not r.slow)]
    got.sort(key=lambda r: (family.ALL.index(r.want.family), ORDER.index(r.group)))
    return got


def ask(scene, column, what, say=lambda *_: None, again=True):
    """{key: (value, why)} of one engine; rows of one want share its start. Where
    nothing came in time, once more: the machine may have been busy."""
    got = {}
    wants = []
    for r in what:
        lack = r.needs and [column.lacks[n] for n in (r.needs, r.needs + r.want.family.suffix)
                            if n in column.lacks]
        if lack:
            got[r.key] = (NA, lack[0])
        elif r.want not in wants:
            wants.append(r.want)
    for want in wants:
        mine = [r for r in what if r.want == want and r.key not in got]
        try:
            with scene.behind(column, want):
                for r in mine:
                    got[r.key] = one(scene, r)
                    if again and got[r.key] == (NO, LATE):
                        got[r.key] = one(scene, r)
                    say(column, r, got[r.key])
        except lab.Failed as e:  # it does not start like that
            for r in mine:
                got[r.key] = NO, str(e)
                say(column, r, got[r.key])
    return got


def one(scene, r):
    patience = scene.patience
    try:
        r.ask(scene)
        return YES, ""
    except TimeoutError:
        return NO, LATE
    except NOES as e:
        return NO, str(e).replace("\n", " ")[:200]
    finally:
        scene.patience = patience
        scene.clear()


def behind_the_kernel(data):
    """Rows in which vmlan says no where the kernel says yes."""
    return [r for r in chosen() if r.group != rows_lan.BEYOND and
            r.key in data["vmlan"] and data["vmlan"][r.key][0] == NO and
            data.get("kernel NAT", {}).get(r.key, (NO,))[0] == YES]


class Notes:
    """Numbered reasons below a table, each told once."""

    def __init__(self):
        self.texts = []

    def mark(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return f"[{self.texts.index(text) + 1}]"


def markdown(data, versions):
    heads = list(data)
    notes = Notes()
    text = HEAD + "".join(f"- {h}: {versions[h]}\n" for h in heads)
    group = of = None
    for r in chosen():
        if any(r.key not in data[h] for h in heads):
            continue
        if r.want.family != of:
            of, group = r.want.family, None
            text += f"\n## {of.name}\n"
        if r.group != group:
            group = r.group
            text += f"\n### {group}\n\n" + (BEYOND if group == rows_lan.BEYOND else "")
            text += "| | " + " | ".join(heads) + " |\n"
            text += "|---|" + "---|" * len(heads) + "\n"
        cells = []
        for h in heads:
            value, why = data[h][r.key]
            why = r.why_not if value == NO and h == "vmlan" and r.why_not else \
                why if value == NA else ""
            cells.append(f"{value} {notes.mark(why)}" if why else value)
        text += f"| {r.title} | " + " | ".join(cells) + " |\n"
    text += "\n## Notes\n\n"
    return text + "".join(f"{i}. {t}\n" for i, t in enumerate(notes.texts, 1))


def read(text):
    """What markdown() was given: answers (with the reasons that it shows) and
    versions."""
    keys = {(r.want.family.name, r.title): r.key for r in rows.ALL.values()}
    lines = text.split("\n")
    notes = dict(l.split(". ", 1) for l in lines if re.match(r"\d+\. ", l))
    versions = dict(l[2:].split(": ", 1) for l in lines if l.startswith("- "))
    data, heads, of = {}, [], family.IP4.name
    for line in lines:
        of = line[3:] if line[3:] in [f.name for f in family.ALL] else of
        cells = [c.strip() for c in line.strip("|").split("|")]
        if not line.startswith("| "):
            continue
        if cells[0] == "":
            heads = cells[1:]
            continue
        for h, cell in zip(heads, cells[1:]):
            value, _, mark = cell.partition(" [")
            data.setdefault(h, {})[keys.get((of, cells[0]), cells[0])] = (
                value, notes.get(mark.rstrip("]"), ""))
    return data, versions
