# SPDX-License-Identifier: BSD-3-Clause
"""Configuration files: vmlan check, up and apply with them (vmlan.conf(5)).

        clients: the host  :  localhost  :  guest a of network lab, which echoes
"""
import contextlib
import json
import os
import signal
import socket
import threading

import pytest

import world
from test_fwd import MAC, dial, echoes, echoing, ls, recv
from test_modes import RUNDIR, Machine, lan, names, one_line, rundir, show, vmlan  # noqa: F401
from world import sh, wait_for


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """Writes NAME.conf, or another file beside it; None: it is no more."""
    d = tmp_path / "vmlan"
    d.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def write(text, name="lab.conf"):
        p = d / name
        if text is None:
            p.unlink()
        else:
            p.parent.mkdir(exist_ok=True)
            p.write_text(text)
        return p
    write.dir = d
    yield write
    for n in names():
        vmlan("down", "-q", n)


def apply(*args, code=0):
    """What it changes, a line each."""
    r = vmlan("apply", *args, code=code)
    assert code or "error" not in r.stderr, r.stderr
    return r.stdout.splitlines()


def kept():
    """The memory of the network's kept capture."""
    s = socket.socket(socket.AF_UNIX)
    with s:
        s.connect(str(RUNDIR / "vmlan" / "lab" / "control"))
        s.sendall(b"GET /v1/captures HTTP/1.0\r\n\r\n")
        got = b""
        while more := s.recv(65536):
            got += more
    return [c["memory"] for c in json.loads(got.partition(b"\r\n\r\n")[2])["captures"]]


def test_check(conf, tmp_path):
    """All mistakes of all files at once, each with its place."""
    assert vmlan("check").stdout == "" and vmlan("check", "--json").stdout == "[]\n"
    good = conf("# fine\n[network]\nmode = natnet\nnet = 10.77.0.0/24\n"
                "[forward]\nport = 2222:22\n", "good.conf")
    assert vmlan("check").stdout == vmlan("check", "good").stdout == ""
    bad = conf("[network]\nmtu = 9\ndhcpstat = 10.0.2.20\nmtu = 1400\n"
               "net = 10.77.0.0/16\n[forward]\nport = 2222:23\nport = no\n", "bad.conf")
    more = conf("[netwrok]\nbridge\n", "bad.conf.d/50-more.conf")
    conf("not one\n", "bad.conf.d/README")  # is none
    lines = vmlan("check", code=2).stdout.splitlines()
    assert lines[0].startswith(f"{bad}:2: ") and "mtu" in lines[0]
    assert lines[1:6] == [
        f"{bad}:3: [network] has no dhcpstat=; dhcpstart= is meant?",
        f"{bad}:4: mtu= is given twice, first in line 2; leave one out",
        f"{bad}:8: port=: port spec 'no': it begins with neither a port, an address, tcp: nor udp:",
        f"{more}:1: there is no section [netwrok]; [network] is meant?",
        f"{more}:2: this is neither a [section] nor KEY = VALUE; a comment begins with '#'",
    ]
    assert lines[6:] == [
        f"{good}:4: warning: net=10.77.0.0/24: network bad has addresses of that, too ({bad}:5); "
        "take another",
        f"{good}:6: warning: tcp:localhost:2222-:22: network bad forwards that port, too "
        f"({bad}:7); take another"]
    # by name, by file, as JSON; warnings alone are no failure
    assert vmlan("check", "bad", code=2).stdout.splitlines() == lines[:6]
    assert vmlan("check", str(bad), code=2).stdout.splitlines() == lines[:6]
    o = json.loads(vmlan("check", "--json", "bad", code=2).stdout)
    assert o[1] == {"network": "bad", "file": str(bad), "line": 3, "level": "error",
                    "text": "[network] has no dhcpstat=; dhcpstart= is meant?"}
    odd = conf("x\n", "bad.conf.d/60-\udcff.conf")  # is told, too
    o = json.loads(vmlan("check", "--json", "bad", code=2).stdout)
    assert len(o) == 7 and o[6]["file"] == f"{odd.parent}/60-?.conf"
    odd.unlink()
    conf("[network]\nnet = 10.77.0.0/16\n", "bad.conf")
    conf(None, "bad.conf.d/50-more.conf")
    assert vmlan("check").stdout.count("warning") == 1
    # what is not there, and what cannot be a network's
    assert "nofile.conf is there" in one_line(4, "check", "nofile")
    assert "no file" in one_line(4, "check", str(tmp_path / "x.conf"))
    conf("", "natnet.conf")
    assert "'natnet' is a mode" in vmlan("check", code=2).stdout
    # nothing was started for it
    assert names() == []


def test_whose_file(conf):
    """What another user could have written is not read, nor what is no file."""
    p = conf("[network]\nmtu = 1400\n")
    p.chmod(0o666)
    out = vmlan("check", code=2).stdout
    assert "others than root may write to it" in out
    assert "mistake" in vmlan("apply", code=2).stderr and names() == []
    p.chmod(0o600)
    assert apply("--dry-run") == ["+ network lab: natnet mtu=1400"]
    if world.HOST_ROOT:
        os.chown(p, 4711, 0)
        assert f"{p}: it belongs to user 4711" in vmlan("check", code=2).stdout
    p.unlink()
    os.mkfifo(p)
    assert vmlan("check", code=2).stdout == \
        f"{p}: it is no ordinary file; copy what is in it to one\n"
    p.unlink()
    p.write_bytes(b"#" * (1 << 20) + b"\n")
    assert "File too large" in vmlan("check", code=2).stdout


def test_system_files(conf, tmp_path):
    """Those in /etc/vmlan are there as well; a user's own are in their place."""
    etc = tmp_path / "etc"
    (etc / "vmlan").mkdir(parents=True)
    (etc / "vmlan" / "web.conf").write_text("[network]\nmtu = 1300\n")
    (etc / "vmlan" / "lab.conf").write_text("[network]\nmtu = 1301\n")
    p = conf("[network]\nmtu = 1302\n")

    def there(*args):
        return sh("unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc && shift && exec "$@"',
                  "sh", str(etc), world.VMLAN, *args).stdout

    assert there("apply", "--dry-run").splitlines() == [
        "+ network lab: natnet mtu=1302", "+ network web: natnet mtu=1300"]
    assert there("check") == \
        f"{p}: warning: it is looked at in place of /etc/vmlan/lab.conf; move one of them\n"


WHOLE = """
[network]
mode = natnet
net = 10.77.0.0/24
mtu = 1400
dnssearch = a.example
dnssearch = b.example

[forward]
port = 2222:7000
port = 2223:7001 2224:7002 proxy=v1 from=127.0.0.1

[machine a]
mac = %s
address = 10.77.0.20

[capture]
keep = 2mb
""" % MAC
SPECS = ["tcp:localhost:2222-:7000", "tcp:localhost:2223-:7001", "tcp:localhost:2224-:7002"]


def test_up(conf):
    """vmlan up NAME takes NAME.conf; what is typed is in its place, and that is said."""
    p = conf(WHOLE)
    vmlan("up", "lab")
    o = show("lab")
    assert (o["mode"], o["file"], o["kept"]) == ("natnet", str(p), True)
    assert o["options"] == ["net=10.77.0.0/24", "mtu=1400", "dnssearch=a.example",
                            "dnssearch=b.example", f"reserve={MAC}/10.77.0.20/a"]
    assert [f["spec"] for f in ls()] == SPECS and [f.get("proxy") for f in ls()] == [None, "v1", "v1"]
    assert kept() == [2 << 20]
    # the same by words is the same network
    words = vmlan("show", "--netdevs", "lab").stdout
    vmlan("down", "lab")
    vmlan("up", "other", "natnet", *o["options"])
    other = vmlan("show", "--netdevs", "other").stdout
    drop = lambda t: ",".join(f for f in t.split(",") if not f.startswith("ipv6-net="))  # noqa: E731
    assert drop(words) == drop(other)
    assert "file" not in show("other")
    # typed
    err = vmlan("up", "lab", "natnet", "mtu=1300", "dnssearch=c.example").stderr
    for line, option in ((5, "mtu=1400"), (6, "dnssearch=a.example"), (7, "dnssearch=b.example")):
        assert f"{p}:{line}: {option} is passed over" in err
    assert show("lab")["options"] == [
        "net=10.77.0.0/24", f"reserve={MAC}/10.77.0.20/a", "mtu=1300", "dnssearch=c.example"]
    assert "kept from now on" in vmlan("up", "lab").stderr
    vmlan("down", "lab")
    assert f"{p} is passed over: it says natnet" in vmlan("up", "lab", "internal").stderr
    assert "file" not in show("lab") and show("lab")["options"] == []
    vmlan("down", "lab")
    # keys without a mode are of the mode that the file has, not natnet's
    conf("[network]\nmode = internal\n")
    assert "internal" in vmlan("up", "lab", "restrict=on", code=2).stderr
    vmlan("up", "lab", "dhcp=on")
    assert (show("lab")["mode"], show("lab")["options"]) == ("internal", ["dhcp=on"])
    vmlan("down", "lab")
    # one that is wrong starts nothing
    conf("[network]\nmtu = nonsense\n")
    r = vmlan("up", "lab", code=2)
    assert f"{p}:2: " in r.stderr and "vmlan check lab" in r.stderr
    assert "lab" not in names()


def test_a_home_that_is_no_folder(rundir, monkeypatch):  # noqa: F811
    """It has no files of networks; a network is up as words have it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/dev/null")
    vmlan("up", "lab", "natnet")
    assert "file" not in show("lab")
    vmlan("down", "lab")


def test_relative_paths(conf):
    """They begin where the file is."""
    (conf.dir / "boot").mkdir()
    conf("[network]\ntftp = boot\n")
    assert apply() == ["+ network lab: natnet tftp=boot"]
    assert show("lab")["serving"]


def test_apply(conf):
    """It changes what differs, and a second time there is nothing."""
    p = conf(WHOLE)
    recipe = "natnet net=10.77.0.0/24 mtu=1400 dnssearch=a.example dnssearch=b.example " \
        f"reserve={MAC}/10.77.0.20/a"
    start = [f"+ network lab: {recipe}",
             "+ forward lab: tcp:localhost:2222-:7000",
             "+ forward lab: tcp:localhost:2223-:7001 proxy=v1 from=127.0.0.1/32",
             "+ forward lab: tcp:localhost:2224-:7002 proxy=v1 from=127.0.0.1/32",
             "+ capture lab: keep=2048kb"]
    assert apply("--dry-run") == start and names() == []
    assert apply() == start
    assert apply() == [] and apply("lab") == []
    assert json.loads("\n".join(apply("--json"))) == []
    engine = show("lab")["engine"]
    # by a drop-in: one port less, one more, another memory
    conf("[forward]\nport =\nport = 2222:7000\nport = 2225:7003\n[capture]\nkeep = 4mb\n",
         "lab.conf.d/10.conf")
    first = ls()[0]
    lines = ["- forward lab: tcp:localhost:2223-:7001 proxy=v1 from=127.0.0.1/32",
             "- forward lab: tcp:localhost:2224-:7002 proxy=v1 from=127.0.0.1/32",
             "+ forward lab: tcp:localhost:2225-:7003",
             "~ capture lab: keep=2048kb -> keep=4096kb"]
    assert apply("--dry-run") == lines and [f["spec"] for f in ls()] == SPECS
    o = json.loads("\n".join(apply("--dry-run", "--json")))
    assert o[2] == {"change": "add", "what": "forward", "network": "lab",
                    "to": "tcp:localhost:2225-:7003", "restart": False}
    assert apply() == lines and apply() == []
    assert ls()[0] == first  # it was not touched
    assert [f["spec"] for f in ls()] == [SPECS[0], "tcp:localhost:2225-:7003"]
    assert kept() == [4 << 20]
    # what somebody typed is no more, if no file says so
    vmlan("fwd", "lab", "add", "2230:1")
    assert apply() == ["- forward lab: tcp:localhost:2230-:1"]
    # who is down is kept again
    with socket.create_server(("127.0.0.1", 2226)):
        conf("[forward]\nport =\nport = 2222:7000\nport = 2226:7003\n[capture]\nkeep =\n",
             "lab.conf.d/10.conf")
        r = vmlan("apply", code=5)
        assert "2226" in r.stderr and "apply: lab: " in r.stderr
        # the rest was done
        assert r.stdout.splitlines() == ["- forward lab: tcp:localhost:2225-:7003",
                                         "- capture lab: keep=4096kb"]
    assert apply() == ["+ forward lab: tcp:localhost:2226-:7003"]
    assert show("lab")["engine"] == engine
    # a network whose file is gone stays, unless it is to end
    conf("", "lab.conf.d/10.conf")
    p.rename(conf.dir / "lab.off")
    vmlan("up", "byhand")
    r = vmlan("apply")
    assert r.stdout == "" and "vmlan apply --down lab ends it" in r.stderr
    assert "byhand has no file" in vmlan("apply", "-v").stderr
    assert "has no file" in one_line(4, "apply", "lab")
    assert apply("--down", "--dry-run") == ["- network lab: natnet"] and "lab" in names()
    assert apply("--down", "lab") == ["- network lab: natnet"]
    assert names() == ["byhand"] and apply("--down") == []


@contextlib.contextmanager
def echoing_flow(port):
    """A connection through the network that never rests; how many bytes came back, all right."""
    done = threading.Event()
    state = {"n": 0, "error": None}

    def run():
        try:
            with dial(port) as s:
                while not done.is_set():
                    text = os.urandom(4096)
                    s.sendall(text)
                    if recv(s, len(text)) != text:
                        raise AssertionError("other bytes came back")
                    state["n"] += len(text)
        except Exception as e:  # told below
            state["error"] = e
    t = threading.Thread(target=run)
    t.start()
    try:
        wait_for("bytes", lambda: state["n"] or state["error"])
        yield state
        before = state["n"]
        wait_for("more bytes", lambda: state["n"] > before or state["error"])
    finally:
        done.set()
        t.join(20)
    assert state["error"] is None and not t.is_alive(), state


FLOW = """
[network]
mode = natnet
[forward]
port = 2222:7000
%s
"""


def test_no_traffic_is_lost(lan, conf):
    """While a flow goes through the network, forwards, cables and captures are applied."""
    conf(FLOW % "")
    apply()
    with Machine(lan, "a", "--net", "natnet:lab", mac=MAC) as a:
        a.guest.dhcp()
        with echoing("a"), echoing_flow(2222) as flow:
            for i in range(10):
                before = flow["n"]
                conf(FLOW % (f"port = {2300 + i}:7001\n[forward a]\nport = {2400 + i}:7002\n"
                             f"[link a]\nto = delay={i % 3 + 1}ms\n[capture]\nkeep = {1 << i % 3}mb"))
                lines = apply()
                assert f"+ forward lab: tcp:localhost:{2300 + i}-:7001" in lines
                assert f"+ forward lab/a: tcp:localhost:{2400 + i}-:7002" in lines
                was = f"up, to delay={(i - 1) % 3 + 1}ms" if i else "up"
                link = [k for k in lines if "link" in k]
                assert len(link) == 1 and link[0].startswith(f"~ link lab/a: {was}") \
                    and f"-> up, to delay={i % 3 + 1}ms" in link[0]
                assert len(lines) == (4 if i == 0 else 6), lines
                assert apply() == []
                assert echoes(2300 + i) and echoes(2400 + i)
                wait_for("the flow", lambda: flow["n"] > before or flow["error"])
            conf(FLOW % "")
            lines = apply()
            assert [k for k in lines if k[0] != "-"] == [k for k in lines if "link" in k]
            assert len(lines) == 4 and apply() == []
        assert "cable" not in show("lab")["machines"][0]
    # what is for a machine waits for it
    conf(FLOW % "[link a]\ncable = down\n[forward a]\nport = 2500:7000\n")
    assert apply() == []
    assert "2 more for machines that are not plugged in" in vmlan("apply").stderr


def test_restart(lan, conf):
    """Options take a restart, which is not made unless it is asked for; machines stay."""
    conf(FLOW % "[link a]\ndelay = 1ms\n")
    apply()
    with Machine(lan, "a", "--net", "natnet:lab", "-p", "2224:7002", mac=MAC) as a:
        a.guest.dhcp()
        assert a.guest.ip == "10.0.2.15"
        assert len(apply()) == 1  # the cable
        before = show("lab")
        conf("[network]\nmode = natnet\nnet = 10.88.0.0/24\nmtu = 1400\n"
             "[forward]\nport = 2222:7000\nport = 2223:7001\n[link a]\ndelay = 1ms\n")
        r = vmlan("apply", code=5)
        behind = " (needs a restart: vmlan apply --restart lab)"
        assert r.stdout.splitlines() == [
            f"+ option lab net: 10.88.0.0/24{behind}", f"+ option lab mtu: 1400{behind}",
            "+ forward lab: tcp:localhost:2223-:7001"]
        assert "2 changes need a restart" in r.stderr and len(r.stderr.splitlines()) == 1
        assert show("lab")["engine"] == before["engine"]
        # what cannot be leaves it as it is
        sh("ip", "route", "add", "10.88.0.0/24", "via", world.INET_IP)
        r = vmlan("apply", "--restart", code=5)
        assert "10.88.0.0/24" in r.stderr and show("lab")["keeper"] == before["keeper"]
        sh("ip", "route", "del", "10.88.0.0/24")
        behind = " (by a restart; 1 machine is plugged in again)"
        lines = apply("--restart")
        assert lines == [f"+ option lab net: 10.88.0.0/24{behind}",
                         f"+ option lab mtu: 1400{behind}"]
        assert apply() == []
        o = show("lab")
        assert o["keeper"] != before["keeper"] and o["machines"][0]["address"] == "10.88.0.15"
        wait_for("the machine", lambda: show("lab")["machines"][0]["connected"])
        a.guest.dhcp()
        assert a.guest.ip == "10.88.0.15"
        with echoing("a"):
            for port in (2222, 2223, 2224):
                assert echoes(port), port
        # a mode without a gateway, and by another keeper of the same network
        conf("[network]\nmode = internal\n")
        r = vmlan("apply", "--restart", "--dry-run")
        assert "~ mode lab: natnet -> internal (by a restart" in r.stdout
        os.kill(show("lab")["keeper"], signal.SIGKILL)
        assert "it has another one now" in vmlan("ls").stderr
        assert show("lab")["file"] == str(conf.dir / "lab.conf")


def test_a_restart_that_fails(conf):
    """The network is as it was, which its machines would notice no more than a restart."""
    conf("[network]\nmode = natnet\n[forward]\nport = 2222:22\n")
    apply()
    conf("[network]\nmode = generic\nnetdev = user\n"
         "netdev = stream,addr.type=inet,addr.host=127.0.0.1,addr.port=1\n")
    r = vmlan("apply", "--restart", code=1)
    assert "network lab is as it was before: " in r.stderr, r.stderr
    o = show("lab")
    assert o["mode"] == "natnet" and o["kept"] and [f["spec"] for f in ls()] == [
        "tcp:localhost:2222-:22"]
