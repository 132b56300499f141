# SPDX-License-Identifier: BSD-3-Clause
"""What is said of machines: the keys of `vmlan show --json`, and their MACs."""
import json
import re
from xml.dom import minidom

import world
from test_modes import Machine, lan, names, rundir, show  # noqa: F401
from world import VMLAN, sh, wait_for


def test_what_show_tells(w, lan):
    """The keys that the manual names, and no other."""
    with Machine(lan, "a", "--net", "natnet:lab", "-p", "2222:80", mac="52:54:00:00:00:0a"):
        o = show("lab")
        assert names() == ["lab"]
    assert list(o) == ["name", "mode", "options", "kept", "serving", "exec", "keeper", "engine",
                       "folder", "netdevs", "subnets", "forwards", "tunnels", "machines",
                       "plugs"]
    assert list(o["subnets"][1]) == ["net", "gateway", "dns"]
    assert list(o["forwards"][0]) == ["proto", "host", "guest", "machine", "id", "family"]
    assert list(o["machines"][0]) == ["name", "link", "listen", "socket", "connected", "pid",
                                      "mac", "address", "addresses"]
    manual = (world.HERE.parent.parent / "man" / "vmlan-show.1.scd").read_text()
    manual = manual[manual.index("# JSON"):]
    for key in (*o, *o["subnets"][1], *o["forwards"][0], *o["machines"][0]):
        assert f"_{key}_" in manual, key


def test_picture(w, lan):
    """What there is, each as a box: an XML document that says it."""
    with Machine(lan, "a", "--net", "natnet:lab", "-p", "2222:80", mac="52:54:00:00:00:0a"), \
            Machine(lan, "b", "--net", "natnet:lab"):
        wait_for("both on it", lambda: all(m["connected"] for m in show("lab")["machines"]))
        o = show("lab")
        r = sh(VMLAN, "show", "--svg", "lab")
    assert r.stderr == ""
    svg = minidom.parseString(r.stdout).documentElement
    words = [t.firstChild.data for t in svg.getElementsByTagName("text") if t.firstChild]
    assert svg.tagName == "svg" and "network lab" in words and "LAN of 2 machines" in words
    for text in ("a", "b", "gateway", "host", "52:54:00:00:00:0a", "10.0.2.0/24",
                 "  name server 10.0.2.3", "tcp 127.0.0.1:2222 and [::1]:2222"):
        assert words.count(text) == 1, (text, words)
    assert [w for w in words if w.startswith("a ")] == ["a " + o["forwards"][0]["guest"]]
    # The picture and the LAN; host, gateway, and two machines.
    assert len(svg.getElementsByTagName("rect")) == 6
    lines = [(x.getAttribute("class"), x.getAttribute("marker-end"))
             for x in svg.getElementsByTagName("line")]
    assert sorted(lines) == [("arrow", "url(#head)")] + 3 * [("good", "")]
    r = sh(VMLAN, "show", "--svg", "nowhere", check=False)
    assert r.returncode == 3 and r.stdout == "" and len(r.stderr.splitlines()) == 1


def test_pictures_of_the_readme():
    """They are documents without a program, as doc/pictures/make made them."""
    root = world.HERE.parent.parent
    names = re.findall(r"\]\((doc/pictures/\w+\.svg)\)", (root / "README.md").read_text())
    assert sorted(names) == ["doc/pictures/show.svg", "doc/pictures/top.svg"]
    for name in names:
        svg = minidom.parse(str(root / name)).documentElement
        assert svg.tagName == "svg" and not svg.getElementsByTagName("script")
        assert len(svg.getElementsByTagName("text")) > 15
        for t in svg.getElementsByTagName("*"):
            assert not [a for a in t.attributes.keys() if "href" in a or a.startswith("on")]


def test_macs_by_name(w):
    """On LANs of ours by name alone; where others are, by host as well."""
    def mac(mode, host):
        r = sh("unshare", "--mount", "sh", "-c",
               f"mount -t tmpfs none /etc && echo {host} >/etc/machine-id && "
               f"{VMLAN} up -q lab {mode} && {VMLAN} exec lab ip=none -- ip -j link show eth0; "
               f"{VMLAN} down lab", timeout=60)
        return json.loads(r.stdout)[0]["address"]

    sh("ip", "link", "add", "brm", "type", "bridge")
    sh("ip", "link", "set", "brm", "up")
    try:
        for mode in ("bridged bridge=brm", "generic netdev=user"):
            assert mac(mode, "a" * 32) == mac(mode, "a" * 32) != mac(mode, "b" * 32)
    finally:
        sh("ip", "link", "del", "brm")
    assert mac("natnet", "a" * 32) == mac("natnet", "b" * 32)
