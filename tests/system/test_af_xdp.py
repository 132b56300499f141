# SPDX-License-Identifier: BSD-3-Clause
"""af-xdp: queues of an interface of the host.

        far   eth0                     (the other end of the cable)
          | veth
        host  xdp0                     (vmlan runs here)
          : af-xdp
        g0    a guest

A veth leaves checksums to who receives, which is told of it by no XDP frame: the
far end is made to fill them in, as a card would get them from the wire."""
import contextlib
import os
import pathlib
import re
import resource
import signal

import pytest

import proof
import world
import xdp
from test_modes import Machine, kill_keeper, rundir, show  # noqa: F401
from world import VMLAN, Vmlan, js, process, sh, wait_for

BPFFS = pathlib.Path("/run/bpf")
PLAIN = "af-xdp,ifname=xdp0"
# Whom root has given sockets: he may lock their memory (ulimit -l), and no more.
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
          "--inh-caps=-all,+ipc_lock", "--ambient-caps=+ipc_lock",
          "--bounding-set=-all,+ipc_lock")
NO_BPF = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def af_xdp():
    try:
        xdp.sock().close()
    except OSError as e:
        pytest.skip(f"no AF_XDP here: {e.strerror}")


@pytest.fixture
def far(w):
    sh("ip", "netns", "add", "far")
    try:
        make()
        before = state()
        yield proof.Place("far", "eth0")
        if "xdp0" in links():
            wait_for("the interface as it was", lambda: state() == before)
    finally:
        sh("ip", "netns", "del", "far")
        wait_for("xdp0 to go", lambda: "xdp0" not in links())


def make(n=2, is_up=True):
    queues = ("numtxqueues", str(n), "numrxqueues", str(n))
    sh("ip", "link", "add", "xdp0", *queues, "type", "veth", "peer", "name", "eth0",
       "netns", "far", *queues)
    sh("ethtool", "-K", "eth0", "tx", "off", ns="far")
    # A veth hands on by the queue it was sent by, which is anybody's guess.
    if n > 1:
        use_queues(1)
    sh("ip", "link", "set", "eth0", "up", ns="far")
    if is_up:
        sh("ip", "link", "set", "xdp0", "up")


def use_queues(n):
    """Of the two that the veth has."""
    sh("ethtool", "-L", "eth0", "tx", str(n), ns="far")
    sh("ethtool", "-L", "xdp0", "rx", str(n))


def links():
    return [l["ifname"] for l in js("link")]


def state():
    """Of the interface: its program and who wants all frames."""
    text = sh("ip", "-d", "link", "show", "xdp0").stdout
    mode = re.search(r"\b(xdp\w*)[ /]", text.split("mtu")[1])
    return {"xdp": mode and mode[1],
            "promiscuity": int(re.search(r"promiscuity (\d+)", text)[1])}


def error(code, *netdevs, wrap=(), **kw):
    """vmlan join says one line, ends with that code, and leaves nothing."""
    before = state() if "xdp0" in links() else None
    r = sh(*wrap, VMLAN, "join", *netdevs, check=False, timeout=30, **kw)
    lines = r.stderr.splitlines()
    assert r.returncode == code and len(lines) == 1, (r.returncode, r.stderr)
    assert lines[0].startswith("vmlan: error: af-xdp: "), lines
    if before:
        wait_for("the interface as it was", lambda: state() == before)
    return lines[0]


def down_and_up(link, ns=None):
    sh("ip", "link", "set", link, "down", ns=ns)
    sh("ip", "link", "set", link, "up", ns=ns)


@pytest.mark.release
@pytest.mark.parametrize("options, mode", [
    ("", "xdp"), (",mode=skb,queues=2", "xdpgeneric"), (",mode=native,force-copy=on,queues=2", "xdp")],
    ids=("default", "skb", "native"))
def test_frames_and_bytes(w, far, options, mode):
    g = w.guest()
    use_queues(1 + ("queues=2" in options))
    with Vmlan([g.netdev(), PLAIN + options]) as v:
        assert state() == {"xdp": mode, "promiscuity": 1}
        proof.both_ways(g, far)
        if not options:  # its own interface, then the far end
            down_and_up("xdp0")
            proof.frames_both_ways(g, far)
            down_and_up("eth0", "far")
            proof.frames_both_ways(g, far)
        engine = v.engine()
        os.kill(engine, signal.SIGKILL)
        wait_for("another engine", lambda: v.engine() not in (None, engine))
        proof.frames_both_ways(g, far)
        assert state() == {"xdp": mode, "promiscuity": 1}


def test_another_queue(w, far):
    """Frames of a queue that is not ours are the host's, as before."""
    g = w.guest()
    sh("ip", "addr", "add", "10.97.0.3/24", "dev", "xdp0")
    with Vmlan([g.netdev(), PLAIN + ",start-queue=1"]):
        proof.plug(g, far)
        assert state()["xdp"] == "xdp"
        sh("ping", "-c", "1", "-W", "5", "10.97.0.3", ns="far")


@contextlib.contextmanager
def program(entries=4, flags=xdp.SKB, first=0):
    """An administrator's, on xdp0."""
    m = xdp.map_new(entries)
    link = xdp.attach(m, "xdp0", flags, first)
    try:
        yield m
    finally:
        os.close(link)
        os.close(m)


@pytest.mark.release
def test_sockets_of_another(w, far):
    """inhibit=on,sock-fds=: without any right; the program stays."""
    g = w.guest()
    wire = "addr.type=unix,addr.path=/run/xdp.sock"
    with Vmlan([g.netdev(), f"stream,server=on,{wire}"]), program(flags=xdp.DRV) as m:
        os.chmod("/run/xdp.sock", 0o777)
        one, two = xdp.sock(), xdp.sock()
        with one, two:
            for i, s in enumerate((one, two)):
                xdp.map_put(m, i, s.fileno())
                s.set_inheritable(True)
            fds = (one.fileno(), two.fileno())
            netdev = PLAIN + f",inhibit=on,queues=2,sock-fds={fds[0]}:{fds[1]}"
            with Vmlan([f"stream,{wire}", netdev], fds=fds,
                       wrap=NOBODY) as v:
                one.close()
                two.close()
                assert state()["xdp"] == "xdp"
                proof.both_ways(g, far)
                engine = v.engine()
                os.kill(engine, signal.SIGKILL)
                wait_for("a line", lambda: "the sockets of sock-fds= went with" in v.log())
        assert state()["xdp"] == "xdp"


@pytest.mark.release
def test_map_of_another(w, far):
    """inhibit=on,map-path=: the program stays, and its map."""
    g = w.guest()
    BPFFS.mkdir(exist_ok=True)
    sh("mount", "-t", "bpf", "none", str(BPFFS))
    try:
        with program(entries=8, first=5) as m:
            xdp.pin(m, str(BPFFS / "map"))
            netdev = PLAIN + f",inhibit=on,queues=2,map-path={BPFFS}/map"
            with Vmlan([g.netdev(), netdev + ",map-start-index=5"]):
                proof.frames_both_ways(g, far)
            assert state()["xdp"] == "xdpgeneric"
            assert "has 8 entries" in error(2, netdev + ",map-start-index=7")
            assert "no such map" in error(4, netdev.replace("/map,", "/m,") + "x")
            xdp.pin(xdp.attach(m, "lo"), str(BPFFS / "link"))
            assert "is no XSKMAP" in error(2, PLAIN + f",inhibit=on,map-path={BPFFS}/link")
    finally:
        sh("umount", str(BPFFS))


@pytest.mark.release
def test_killed(w, far):
    """Nothing stays of who is killed, in whatever order."""
    before = state()
    for _ in range(5):
        with process(VMLAN, "join", "-q", "user", PLAIN) as p:
            engine = wait_for("an engine", lambda: world.engine_of(p.pid))
            wait_for("a program", lambda: state()["xdp"] == "xdp")
            os.kill(p.pid, signal.SIGKILL)
            os.kill(engine, signal.SIGKILL)
            wait_for("the interface as it was", lambda: state() == before)
    with process(VMLAN, "join", "-q", "user", PLAIN) as p:
        wait_for("a program", lambda: state()["xdp"] == "xdp")
        os.kill(p.pid, signal.SIGKILL)  # the engine follows
        wait_for("the interface as it was", lambda: state() == before)
    g = w.guest()
    with Vmlan([g.netdev(), PLAIN]):  # nothing blocks the next start
        proof.frames_both_ways(g, far)


@pytest.mark.release
def test_network(w, far):
    """Its engine goes on without its keeper, program and all; the next keeper
    makes both anew."""
    with Machine(w, "a", "--net", "generic:wan,netdev=af-xdp,,ifname=xdp0") as a:
        proof.frames_both_ways(a.guest, far)
        before = kill_keeper("wan")
        assert state() == {"xdp": "xdp", "promiscuity": 1}
        proof.frames_both_ways(a.guest, far)
        now = show("wan")
        assert now["keeper"] != before["keeper"] and now["engine"] != before["engine"]
        proof.frames_both_ways(a.guest, far)
        assert state() == {"xdp": "xdp", "promiscuity": 1}


@pytest.mark.release
def test_interface_removed(w, far):
    """Costs that port only, and it is used again when it is there again."""
    a, b = w.guest(), w.guest()
    with Vmlan([a.netdev(), b.netdev(), PLAIN + ",queues=2"]) as v:
        sh("ip", "link", "del", "xdp0")
        wait_for("a line", lambda: "the interface was removed: xdp0;" in v.log())
        proof.frames_both_ways(a, b)
        os.kill(v.engine(), signal.SIGKILL)
        proof.frames_both_ways(a, b)
        make()
        proof.frames_both_ways(a, far)
        # Another one is not what is needed, of the next somebody has a queue.
        sh("ip", "link", "del", "xdp0")
        make(1)
        wait_for("a line", lambda: "it has no queues 0 to 1" in v.log())
        proof.frames_both_ways(a, b)
        sh("ip", "link", "del", "xdp0")
        make(is_up=False)
        with xdp.busy_sock("xdp0"):
            sh("ip", "link", "set", "xdp0", "up")
            wait_for("it", lambda: v.log().count("xdp0 is there again\n") == 3)
            proof.frames_both_ways(a, b)
        proof.frames_both_ways(a, far)


def test_a_queue_taken_meanwhile(w, far):
    """By somebody else, when an engine was killed: nobody but its port waits,
    not even who has to be connected to."""
    a, b = w.guest(), w.guest()
    wire = "stream,addr.type=unix,addr.path=/run/xdp.sock"

    def take():
        try:
            return xdp.busy_sock("xdp0")
        except OSError:
            return None

    with Vmlan([b.netdev(), wire + ",server=on"]), \
            Vmlan([a.netdev(), PLAIN, wire + ",reconnect-ms=20"]) as v:
        proof.frames_again(a, b)
        engine = v.engine()
        v.proc.send_signal(signal.SIGSTOP)
        try:
            os.kill(engine, signal.SIGKILL)
            taken = wait_for("the queue", take)
        finally:
            v.proc.send_signal(signal.SIGCONT)
        with taken:
            proof.frames_again(a, b)
        proof.frames_again(a, far)


def test_refusals(w, far):
    assert "failed to get ifindex for 'nosuch'" in error(4, "af-xdp,ifname=nosuch")
    assert "is no Ethernet" in error(1, "af-xdp,ifname=lo")
    assert "no XDP program loaded on 'xdp0'" in error(
        4, PLAIN + f",inhibit=on,map-path={BPFFS}/map")
    assert "it has no queues 2 to 2" in error(4, PLAIN + ",start-queue=2")
    assert "it has no queues 1 to 2" in error(4, PLAIN + ",start-queue=1,queues=2")
    assert "takes root" in error(6, PLAIN, wrap=NO_BPF)
    with program() as m:
        assert "has an XDP program already" in error(5, PLAIN)
        assert "in the other mode=" in error(4, PLAIN + f",mode=native,inhibit=on,map-path=/m")
        with open("/dev/null") as null, xdp.sock() as s:
            n = null.fileno()
            assert "no AF_XDP socket" in error(
                2, PLAIN + f",inhibit=on,sock-fds={n}", pass_fds=(n,))
            if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != 1 << 20:
                xdp.map_put(m, 0, s.fileno())
                assert "ulimit -l" in error(
                    6, PLAIN + f",inhibit=on,sock-fds={s.fileno()}", pass_fds=(s.fileno(),),
                    wrap=("prlimit", "--memlock=1048576", *NO_BPF))
    with xdp.busy_sock("xdp0") as s:
        assert "is in use by another AF_XDP socket" in error(5, PLAIN)
        n = s.fileno()
        with program():
            assert "in use already" in error(5, PLAIN + f",inhibit=on,sock-fds={n}", pass_fds=(n,))
