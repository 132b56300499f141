# SPDX-License-Identifier: BSD-3-Clause
"""The figures as an SVG: a panel for each chosen figure, a bar for each peer.
Readable on a light and on a dark page: the page shows through, and the few
colours stand out from both."""
from xml.sax.saxutils import escape

# (test, figure, heading, more is better)
PANELS = [
    ("tcp-up-1-1500", "gbit_s", "TCP guest to host, MTU 1500, Gbit/s", True),
    ("tcp-up-1-1500", "cpu_s_gib", "engine CPU per GiB, s", False),
    ("tcp-down-1-1500", "gbit_s", "TCP host to guest, MTU 1500, Gbit/s", True),
    ("tcp-down-1-1500", "cpu_s_gib", "engine CPU per GiB, s", False),
    ("tcp-up-1-65520", "gbit_s", "TCP guest to host, MTU 65520, Gbit/s", True),
    ("tcp-down-1-65520", "gbit_s", "TCP host to guest, MTU 65520, Gbit/s", True),
    ("rr-tcp", "p50_us", "request/response, p50, us", False),
    ("rr-tcp", "cpu_us", "engine CPU per request/response, us", False),
    ("crr", "per_s", "connect, request, close, per s", True),
    ("crr", "cpu_us", "engine CPU for each, us", False),
    ("udp-up-64", "kpps", "UDP 64 B guest to host, kpps", True),
    ("udp-up-64", "cpu_s_mpkt", "engine CPU per million, s", False),
    ("udp-down-64", "kpps", "UDP 64 B host to guest, kpps", True),
    ("udp-down-64", "cpu_s_mpkt", "engine CPU per million, s", False),
    ("open", "secs", "10,000 connections opened, s", False),
    ("start", "ms", "ready after start, ms", False),
    ("vm-tcp-1", "gbit_s", "between machines: TCP, Gbit/s", True),
    ("vm-tcp-1", "cpu_s_gib", "engine CPU per GiB, s", False),
    ("vm-raw-64", "mpps", "between machines: 64 B, Mpps", True),
    ("vm-raw-64", "cpu_s_mpkt", "engine CPU per million, s", False),
    ("vm-rr", "p50_us", "between machines: request/response, p50, us", False),
    ("vm-idle", "cpu_ms_per_10_s", "engine CPU of machines that idle, ms in 10 s", False),
]
WIDTH, PANEL, LABEL, BAR, GAP = 960, 470, 118, 13, 4
OURS, THEIRS, KERNEL, FLOOR, TEXT = "#d9480f", "#5c7cfa", "#868e96", "#868e96", "#7d848a"


def colour(peer):
    if peer.startswith("vmlan"):
        return OURS
    if peer.startswith("kernel"):
        return KERNEL
    return FLOOR if peer == "floor" else THEIRS


def number(v):
    if v >= 1000:
        return f"{v:,.0f}"
    return f"{v:.3g}"


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def bar(x, y, width, value, top, peer):
    """One bar: its name on the left, its figure at its end."""
    faint = ' fill-opacity="0.5"' if peer == "floor" else ""
    long = max(1.0, (width - LABEL - 48) * value / top)
    return [text(x + LABEL - 6, y + BAR - 3, peer, 'text-anchor="end"'),
            f'<rect x="{x + LABEL}" y="{y}" width="{long:.1f}" height="{BAR - 1}" rx="2" '
            f'fill="{colour(peer)}"{faint}/>',
            text(x + LABEL + long + 5, y + BAR - 3, number(value))]


def panel(table, x, y, spec):
    """(lines, height) of one panel, nothing without figures."""
    test, figure, heading, more = spec
    names = [*table.order, "floor"]
    bars = [(p, table.get(test, p, figure)) for p in names]
    bars = [(p, v) for p, v in bars if v is not None]
    if not bars:
        return [], 0
    top = max(v for _, v in bars) or 1
    out = [text(x, y + 12, heading + (" (more is better)" if more else " (less is better)"),
                'class="h"')]
    at = y + 20
    for p, v in bars:
        out += bar(x, at, PANEL, v, top, p)
        at += BAR + GAP
    none = [p for p in table.order if (test, p) in table.cells and p not in dict(bars)]
    if none:
        out.append(text(x + LABEL, at + BAR - 3, "failed: " + ", ".join(none)))
        at += BAR + GAP
    return out, at - y


def draw(table):
    body, y, row = [], 56, []
    for spec in PANELS:
        lines, high = panel(table, 10 + len(row) * (PANEL + 10), y, spec)
        if not high:
            continue
        body += lines
        row.append(high)
        if len(row) == 2:
            y, row = y + max(row) + 22, []
    y += max(row, default=0) + 10
    m = table.data["machine"]
    head = [text(10, 20, "vmlan beside its peers", 'class="t"'),
            text(10, 38, f"{m.get('cpus')} processors ({m.get('cpu')}) shared by guest, engine "
                 f"and server, Linux {m.get('kernel')}; medians of {m.get('rounds')}; "
                 "the kernel's CPU is the whole machine's")]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="11" fill="{TEXT}">',
        '<style>.h{font-weight:bold;font-size:12px}.t{font-weight:bold;font-size:16px}</style>',
        *head, *body, "</svg>", ""])
