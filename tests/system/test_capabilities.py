# SPDX-License-Identifier: BSD-3-Clause
"""doc/capabilities.md: vmlan's column is true, and the questions behind it can
be answered with no."""
import pathlib
import shutil
import sys

import pytest

import world

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TREE / "tests" / "capabilities"))
import scene  # noqa: E402  (finds bench)
import columns  # noqa: E402
import family  # noqa: E402
import rows  # noqa: E402
import table  # noqa: E402

PAGE, _ = table.read((TREE / "doc" / "capabilities.md").read_text())
LITTLE = 0.5  # seconds of patience, where a no is expected


@pytest.fixture
def place():
    s = scene.Scene(world.BUILD, None, patience=10)
    yield s
    s.close()


def test_the_page_has_every_question():
    for column in columns.ALL:
        assert set(PAGE[column.heading]) == set(rows.ALL), column.heading


# The page is about a kernel of today.
@pytest.mark.long
@pytest.mark.takes("peek_off", "ping", "gso", "vnet_hdr")
def test_vmlan_does_what_the_page_says(place):
    """Every yes, and every no that is one by design."""
    for value, patience in ((table.YES, 10), (table.NO, LITTLE)):
        place.patience = patience
        what = [r for r in table.chosen(slow=world.FULL)
                if PAGE["vmlan"][r.key][0] == value and (value == table.YES or r.why_not)]
        got = table.ask(place, columns.Vmlan(), what, again=False)
        assert {k: v for k, v in got.items() if v[0] != value} == {}


# What a bad NAT would do, and who must see it.
SPOILT = {
    "errors are lost": (
        {"spoilt": "icmp type { destination-unreachable, time-exceeded } drop; "
                   "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded } drop;"},
        "host-udp net-tcp codes-udp port-unreachable port-closed traceroute-udp exceeded pmtu-udp "
        "ping-nobody pmtu-tcp-out pmtu-ping"),
    "echo is lost": (
        {"spoilt": "icmp type echo-reply drop; icmpv6 type echo-reply drop; "
                   "meta l4proto gre drop;"},
        "ping ping-1400 traceroute-icmp proto-gre"),
    "long ones are lost": (
        {"spoilt": "meta length > 1500 drop;"},
        "ping-8000 udp-big-out udp-big-in fragments"),
    "marks are taken off": (
        {"spoilt": "ip dscp set 0; ip ecn set not-ect; ip ttl set 60; "
                   "ip6 dscp set 0; ip6 ecn set not-ect; ip6 hoplimit set 60;"},
        "dscp-out dscp-in ecn-out ecn-in tcp-dscp ttl"),
    "RST is lost": (
        {"spoilt": "tcp flags & rst == rst drop;"},
        "reset-out reset-in refused forward-closed"),
    "FIN is lost": (
        {"spoilt": "tcp flags & fin == fin drop;"},
        "half-close-out half-close-in close-both reuse"),
    "nothing is urgent": (
        {"spoilt": "tcp flags & urg == urg drop;"},
        "urgent-out urgent-in"),
    "one port a peer": (
        {"masquerade": "masquerade fully-random"},
        "mapping"),
    "clients are masqueraded": (
        {"more": "chain in { type nat hook postrouting priority 90; "
                 "oifname br0 masquerade fully-random; }"},
        "source-tcp source-udp"),
    "all is lost": (
        {"spoilt": "drop;"},
        "tcp udp udp-empty peers ports crowd hold-out hold-in spoof forward-tcp "
        "forward-udp hairpin beyond-dscp beyond-ecn beyond-options beyond-gre "
        "twins"),
    "the host is deaf": (
        {"more": "chain deaf { type filter hook input priority 0; iifname br0 drop; }"},
        "ping-gateway host-address host-loopback dhcp dns-udp dns-tcp guestfwd restrict "
        "slaac ra-dns ra-mtu dad-gateway nud"),
}


@pytest.mark.skipif(not shutil.which("nft", path="/usr/sbin:/usr/bin"), reason="no nft")
@pytest.mark.parametrize("of", family.ALL, ids=lambda f: f.name)
@pytest.mark.parametrize("how", SPOILT)
def test_questions_can_be_answered_with_no(place, how, of):
    spoilt, words = SPOILT[how]
    keys = [k + of.suffix for k in words.split() if k + of.suffix in rows.ALL]
    column = columns.Kernel(**spoilt)
    column.lacks = {}
    place.patience = LITTLE
    got = table.ask(place, column, table.chosen(keys), again=False)
    assert {k: v for k, v in got.items() if v[0] != table.NO} == {}


def test_the_page_is_read_as_it_is_written():
    one, two = [k for k in rows.ALL if "/" not in k][:2]
    data = {"vmlan": {one: (table.YES, ""), two: (table.NO, "it broke")},
            "kernel NAT": {one: (table.NA, "so it is"), two: (table.YES, "")}}
    versions = {"vmlan": "1", "kernel NAT": "2: so"}
    for h in data:  # the same questions, over the other family
        data[h].update({one + "/6": (table.YES, ""), two + "/6": (table.NO, "")})
    page = table.markdown(data, versions)
    assert "it broke" not in page  # what is no by mistake has no excuse
    data["vmlan"][two] = (table.NO, "")
    assert table.read(page) == (data, versions)
    assert table.behind_the_kernel(data) == [rows.ALL[two]]
    data["kernel NAT"][two + "/6"] = (table.YES, "")
    assert table.behind_the_kernel(data) == [rows.ALL[two], rows.ALL[two + "/6"]]
