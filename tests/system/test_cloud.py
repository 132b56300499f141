# SPDX-License-Identifier: BSD-3-Clause
"""Cloud images that start by themselves, and the HTTP server inside of a network.

        a, b, c         machines, which ask http://<name server>/cloud/
        |  |  |
      [network] -- host -- inet (the world of world.py)
        |
        program         by vmlan exec: a machine too, with nothing of its own

Tests run as the root of the world, as an ordinary user of it, or both.  The
clients are curl, cloud-init's own code, and a guest of QEMU.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import qemu
from test_exec import RUNDIR, lab, said, user  # noqa: F401
from test_modes import PYTHON
from test_ssh import DIR, Machine, keys, words  # noqa: F401
from world import engine_of, is_dead, sh, stop, wait_for

CLOUD = "http://10.0.2.3/cloud/"
ORDINARY_ONLY = pytest.mark.parametrize("user", ["ordinary"], indirect=True)
ROOT_ONLY = pytest.mark.parametrize("user", ["root"], indirect=True)


@pytest.fixture
def files(tmp_path):
    """Writes a file that vmlan's user can read."""
    os.chmod(tmp_path, 0o755)

    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(path)
    return write


@pytest.fixture
def plug(w, user):  # noqa: F811
    made = []

    def make(name, *options, net="natnet:lab", guest=None, dhcp=True):
        made.append(Machine(w, user, name, net, options, "{cloud}" if options else "", guest))
        m = made[-1]
        if dhcp:
            m.guest.dhcp()
        return m
    yield make
    for m in made:
        m.close()


def curl(m, url, *options, code=0):
    """m: a machine, whose namespace asks; what curl printed."""
    r = m.guest.sh("curl", "-sS", "-m", "20", *options, url, check=False)
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    return r.stdout


def status(m, url, *options):
    return int(curl(m, url, "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is", *options))


def head(m, url, *options):
    """Status, and headers by their small names."""
    first, *rest = curl(m, url, "-D", "-", "-o", "/dev/null", *options).splitlines()
    return int(first.split()[1]), {k.lower(): v for k, v in
                                   (l.split(": ", 1) for l in rest if l)}


def urls(lab):  # noqa: F811
    """The server's in both families."""
    o = json.loads(lab.vmlan("show", "--json", "lab").stdout)
    return [f"http://{s['dns']}/cloud/" if ":" not in s["dns"] else f"http://[{s['dns']}]/cloud/"
            for s in o["subnets"]]


def unplug(m):
    stop(m.cable)
    stop(m.vmm)


def has_global(m):
    a = m.guest.sh("ip", "-6", "addr", "show", "dev", "eth0", "scope", "global").stdout
    return "inet6" in a and "tentative" not in a


def test_each_its_own(lab, plug, files):  # noqa: F811
    """A machine gets what is its own, by either family, and nobody else gets anything."""
    raw = b"#cloud-config\n\0\xff%s\r\n" + bytes(range(256))
    a = plug("a", "--user-data", files("a", raw), "--meta-data", files("m", "instance-id: x\n"))
    b = plug("b", "--user-data", files("b", "#!/bin/sh\n: b\n"))
    c = plug("c")
    assert a.said == b.said == [CLOUD] and c.said == []
    v4, v6 = urls(lab)
    assert v4 == CLOUD
    for m in (a, b, c):
        wait_for("an address of IPv6", lambda m=m: has_global(m))
    for url in (v4, v6):
        out = a.guest.sh("sh", "-c", f"curl -sS '{url}user-data' | od -An -v -tx1").stdout
        assert bytes.fromhex(re.sub(r"\s", "", out)) == raw
        assert curl(a, url + "meta-data") == "instance-id: x\n"
        assert curl(b, url + "user-data") == "#!/bin/sh\n: b\n"
        assert re.fullmatch('instance-id: vmlan-b-[0-9a-f]{16}\nlocal-hostname: "b"\n',
                            curl(b, url + "meta-data"))
        assert status(a, url + "vendor-data") == 200 and curl(a, url + "vendor-data") == ""
        for part in ("network-config", "", "user-data/", "../user-data", "user-data%00"):
            assert status(a, url + part) in (400, 404), part
        for part in ("user-data", "meta-data", "vendor-data"):
            assert status(c, url + part) == 404
            r = lab.exec("lab", "--", "curl", "-sS", "-m", "20", "--retry", "5", "--retry-delay", "1",
                         "--retry-all-errors",  # IPv6 comes a moment after IPv4
                         "-w", "%{http_code}", url + part)
            assert said(r) == "404"
    # nor who takes an address of its
    c.guest.sh("ip", "addr", "flush", "dev", "eth0")
    c.guest.static(a.guest.ip)
    assert status(c, CLOUD + "user-data") == 404
    shown = {m["name"]: m.get("cloud") for m in lab.machines("lab")}
    assert shown == {"a": CLOUD, "b": CLOUD, "c": None}


@ORDINARY_ONLY
def test_what_http_says(lab, plug, files):  # noqa: F811
    data = bytes(i % 251 for i in range(200000))
    a = plug("a", "--user-data", files("a", data))
    url = CLOUD + "user-data"
    code, h = head(a, url)
    assert code == 200 and h["content-length"] == "200000" and h["accept-ranges"] == "bytes"
    assert h["content-type"] == "text/plain" and h["cache-control"] == "no-store"
    assert "last-modified" in h and "date" in h
    code, same = head(a, url, "-I")
    assert code == 200 and {k: same[k] for k in h if k != "date"} == {
        k: h[k] for k in h if k != "date"}
    code, h = head(a, url, "-r", "10-19")
    assert (code, h["content-range"], h["content-length"]) == (206, "bytes 10-19/200000", "10")
    for asked, part in (("1000-1999", data[1000:2000]), ("199990-", data[-10:]), ("-5", data[-5:]),
                        ("0-0", data[:1]), ("199999-999999999", data[-1:])):
        out = a.guest.sh("sh", "-c", f"curl -sS -r {asked} {url} | od -An -v -tx1").stdout
        assert bytes.fromhex(re.sub(r"\s", "", out)) == part
    code, h = head(a, url, "-r", "200000-")
    assert (code, h["content-range"]) == (416, "bytes */200000")
    tag, date = h["etag"], h["last-modified"]
    for line, want in ((f"If-None-Match: {tag}", 304), ("If-None-Match: \"x\"", 200),
                       (f"If-Modified-Since: {date}", 304)):
        assert status(a, url, "-H", line) == want
    assert status(a, url, "-r", "0-1", "-H", f"If-Range: {tag}") == 206
    assert status(a, url, "-r", "0-1", "-H", "If-Range: \"x\"") == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        code, h = head(a, url, "-X", method)
        assert (code, h["allow"]) == (405, "GET, HEAD")
    assert status(a, CLOUD + "%75ser-dat%61") == 200
    # several questions by one connection
    out = curl(a, url, url, "-o", "/dev/null", "-o", "/dev/null", "-w", "%{num_connects} ")
    assert out.split() == ["1", "0"]


def test_it_stays(w, lab, plug, files):  # noqa: F811
    """Over the end of an engine and of a keeper; but not the machine's."""
    a = plug("a", "--user-data", files("a", "of a"))
    keeper = json.loads(lab.vmlan("show", "--json", "lab").stdout)["keeper"]
    folder = pathlib.Path(json.loads(lab.vmlan("show", "--json", "lab").stdout)["folder"])
    kept = sorted(p for p in folder.iterdir() if p.name.startswith("cloud-"))
    assert [p.name for p in kept] == ["cloud-1.meta-data", "cloud-1.user-data"]
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in kept)

    def answers():
        r = a.guest.sh("curl", "-sS", "-m", "5", CLOUD + "user-data", check=False)
        return r.returncode == 0 and r.stdout == "of a"
    assert answers()
    engine = engine_of(keeper)
    os.kill(engine, signal.SIGKILL)
    wait_for("the answer of another engine", answers, seconds=30)
    os.kill(keeper, signal.SIGKILL)
    wait_for("its end", lambda: is_dead(keeper))
    lab.vmlan("ls")
    wait_for("the answer of another keeper", answers, seconds=30)
    unplug(a)
    wait_for("the machine to go", lambda: not lab.machines("lab"))
    assert not [p for p in folder.iterdir() if p.name.startswith("cloud-")]


@ORDINARY_ONLY
def test_nobody_inherits(lab, plug):  # noqa: F811
    """What a keeper left of a machine that it did not find again is not for the
    next one in its place."""
    plug("a", dhcp=False)
    folder = pathlib.Path(json.loads(lab.vmlan("show", "--json", "lab").stdout)["folder"])
    for n in (1, 2):
        (folder / f"cloud-{n}.user-data").write_text("secret")
        (folder / f"cloud-{n}.user-data").chmod(0o644)
    plug("b", dhcp=False)
    assert [p.name for p in folder.glob("cloud-*")] == ["cloud-1.user-data"]


# Connections, so many at a time, that ask half a question and are never silent
# for long; and the rest of it when a line is read.
ABUSE = r"""
import resource, select, socket, sys
total, at_once = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
up, n_refused = [], 0
def more():
    for s in up:
        s.sendall(b"X: y\r\n")
poll = select.poll()
for i in range(0, total, at_once):
    called = {}
    for _ in range(at_once):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("10.0.2.3", 80))
        called[s.fileno()] = s
        poll.register(s, select.POLLOUT)
    if i == 0:
        print("called", flush=True)
    while called:
        for fd, _ in poll.poll():
            poll.unregister(fd)
            s = called.pop(fd)
            try:
                s.sendall(b"GET /cloud/user-data HTTP/1.1\r\nHost: x\r\n")
                up.append(s)
            except OSError:
                n_refused += 1
    more()
print(len(up), n_refused, flush=True)
while not select.select([sys.stdin], [], [], 5)[0]:
    more()
alive = 0
for s in up:
    s.settimeout(20)
    try:
        s.sendall(b"\r\n")
        alive += s.recv(9) == b"HTTP/1.1 "
    except OSError:
        pass
print(alive, flush=True)
"""


@contextlib.contextmanager
def crowd(m, *args):
    p = m.guest.popen(PYTHON, "-c", ABUSE, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                      text=True)
    try:
        assert p.stdout.readline() == "called\n"
        yield p
    finally:
        p.kill()
        p.wait()
        p.stdin.close()
        p.stdout.close()


@ROOT_ONLY
def test_a_hostile_guest(lab, plug, files):  # noqa: F811
    """It may have half of what there is, and others have the rest; what makes
    no sense costs it its connection, and nothing else."""
    big = b"x" * (1 << 20)
    a = plug("a", "--user-data", files("a", big))
    b = plug("b", "--user-data", files("b", "of b"))
    # An engine has 32 questions of one guest's under way; SYNs beyond come again
    # in their own time, and the first ones would have been silent for too long.
    with crowd(a, "300", "30") as p:
        assert p.stdout.readline() == "256 44\n"
        assert curl(b, CLOUD + "user-data") == "of b"
        out = curl(b, CLOUD + "user-data", *[CLOUD + "user-data"] * 49, "--parallel",
                   "--parallel-immediate", "--parallel-max", "50")
        assert out == "of b" * 50
        p.stdin.write("\n")
        p.stdin.flush()
        assert int(p.stdout.readline()) == 256
    with crowd(a, "300", "300"):
        assert curl(b, CLOUD + "user-data") == "of b"
    wait_for("room again", lambda: a.guest.sh(
        "curl", "-sSf", "-m", "20", CLOUD + "user-data", check=False).returncode == 0, seconds=30)

    def raw(data, n=64):
        """What comes back for these bytes."""
        code = ("import socket, sys\ns = socket.create_connection(('10.0.2.3', 80), 20)\n"
                "d = sys.stdin.buffer.read()\n"
                "try:\n    s.sendall(d)\n"
                f"    sys.stdout.write(repr(s.recv({n})))\nexcept OSError as e:\n    print(e)\n")
        return subprocess.run(["ip", "netns", "exec", "a", PYTHON, "-c", code], input=data,
                              capture_output=True, timeout=60, check=True).stdout.decode()
    get = b"GET /cloud/user-data HTTP/1.1\r\nHost: x\r\n"
    for data in (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"\0" * 100000, b"GET\r\n\r\n",
                 b"GET / HTTP/9.9\r\n\r\n",
                 get + b"X: " + b"y" * 100000 + b"\r\n\r\n", get + b"A: b\r\n" * 10000,
                 get + b"Content-Length: 99999999999999999999\r\n\r\n",
                 get + b"Content-Length: 4\r\n\r\nabcd",
                 get + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n"):
        assert "200 OK" not in raw(data), data[:40]
    for url in ("/", "/cloud", "/cloud/../cloud/user-data", "/boot/", "/boot/x", "//cloud/user-data",
                "/%", "/%zz", "/cloud/" + "a" * 4000, "/cloud/user-data%00x", "/..", "/%2e%2e/x"):
        assert status(a, "http://10.0.2.3" + url) in (400, 404), url
    # who reads slowly holds nobody up
    slow = a.guest.popen("curl", "-sS", "--limit-rate", "10K", "-o", "/dev/null", CLOUD + "user-data")
    try:
        for _ in range(5):
            assert curl(b, CLOUD + "user-data") == "of b"
        assert slow.poll() is None
    finally:
        slow.kill()
        slow.wait()
    assert len(curl(a, CLOUD + "user-data")) == len(big)


@ORDINARY_ONLY
def test_networks(w, user, plug, files):  # noqa: F811
    """Wherever there is a gateway, be it for services alone; by IPv6 where
    IPv4 is off."""
    f = files("a", "of a")
    nets = ["nat", "internal:in,dhcp=on", "natnet:lab,ipv4=off", "natnet:lab,dns=10.0.2.9"]
    for i, net in enumerate(nets):
        m = plug(f"m{i}", "--user-data", f, net=net, dhcp="ipv4=off" not in net)
        url, = m.said
        if "ipv4=off" in net:
            assert url.startswith("http://[fd")
            m.up()
            wait_for("an address", lambda m=m: has_global(m))
        elif "dns=" in net:
            assert url == "http://10.0.2.9/cloud/"
        assert curl(m, url + "user-data") == "of a", net
        unplug(m)
        wait_for("its end", lambda: not list((RUNDIR / "vmlan").iterdir()))


@pytest.mark.root
@ROOT_ONLY
@pytest.mark.parametrize("net", ["hostonly:lab", "natnet:lab,backend=kernel"])
def test_networks_of_root(user, plug, files, net):  # noqa: F811
    m = plug("a", "--user-data", files("a", "of a"), net=net)
    url, = m.said
    assert curl(m, url + "user-data") == "of a"
    unplug(m)
    d = RUNDIR / "vmlan"
    # which settings of the host are whose stays
    wait_for("its end", lambda: {n.name for n in d.iterdir()} <= {".settings"})
    (d / ".settings").unlink(missing_ok=True)


DATASOURCE = """
import json, sys
sys.path.insert(0, sys.argv[3])
from cloudinit import dmi, helpers, sources, util
from cloudinit.sources import DataSourceNoCloud as ds
dmi.read_dmi_data = lambda key: sys.argv[1] if key == "system-serial-number" else None
util.get_cmdline = lambda: ""
util.find_devs_with = lambda *a, **k: []
paths = helpers.Paths({"cloud_dir": sys.argv[2], "run_dir": sys.argv[2]})
found = []
for cls, _ in ds.datasources:
    d = cls({}, None, paths)
    if d._get_data():
        found.append(cls.__name__)
        text = d.userdata_raw
        o = {"id": d.get_instance_id(), "host": d.metadata["local-hostname"],
             "user": text.decode() if isinstance(text, bytes) else text}
print(json.dumps({"found": found, **o}))
"""


def datasource(m, url, folder):
    r = m.guest.sh(PYTHON, "-c", DATASOURCE, f"ds=nocloud;s={url}", str(folder),
                   str(qemu.IMAGE / "python"))
    return json.loads(r.stdout.splitlines()[-1])


@ORDINARY_ONLY
@pytest.mark.parametrize("family", [4, 6])
def test_cloud_init(user, plug, files, tmp_path, family):  # noqa: F811
    """Its own datasource finds, by the serial number alone, what is the machine's."""
    net = "natnet:lab" if family == 4 else "natnet:lab,ipv4=off"
    a = plug("a", "--user-data", files("a", "#cloud-config\n{}\n"), net=net, dhcp=family == 4)
    b = plug("b_1", "--user-data", files("b", "#!/bin/sh\n"), net=net, dhcp=family == 4)
    for m in (a, b):
        m.up()
        wait_for("an address", lambda m=m: has_global(m))
    got = datasource(a, a.said[0], tmp_path)
    assert got["found"] == ["DataSourceNoCloudNet"]
    assert (got["host"], got["user"]) == ("a", "#cloud-config\n{}\n")
    other = datasource(b, b.said[0], tmp_path)
    assert (other["host"], other["user"]) == ("b-1", "#!/bin/sh\n")
    assert got["id"] != other["id"]


def test_ssh(lab, plug, keys, monkeypatch):  # noqa: F811
    """--cloud: what cloud-init is told lets `vmlan ssh` in."""
    home = DIR / "home"
    (home / ".ssh").mkdir(parents=True, exist_ok=True)
    os.chmod(home, 0o755)
    key = (DIR / "key.pub").read_text()
    (home / ".ssh" / "id.pub").write_text(key)
    (home / ".ssh" / "config.pub").write_text("no key\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    a = plug("a", "--cloud")
    text = curl(a, CLOUD + "user-data")
    assert text.startswith("#cloud-config\n")
    o = json.loads(a.guest.sh(PYTHON, "-c", "import json, sys, yaml\n"
                              "print(json.dumps(yaml.safe_load(sys.stdin)))", input=text).stdout)
    assert o["ssh_authorized_keys"] == [key.strip()]
    # what cloud-init does with it: the machine has its server let them in
    (DIR / ".ssh" / "authorized_keys").write_text("\n".join(o["ssh_authorized_keys"]) + "\n")
    a.serve()
    assert lab.vmlan(*words("a", "echo", "in")).stdout == "in\n"


@pytest.mark.qemu
@ROOT_ONLY
def test_guests(user, files):  # noqa: F811
    """QEMU's SMBIOS tells each guest where it finds what is its own."""
    vms = {}
    try:
        for name in "ab":
            data = files(name, f"#cloud-config\n# of {name}, all of it\n")
            vms[name] = qemu.Qemu(["--name", name, "--net", "natnet:lab", "--user-data", data],
                                  qemu.words(cloud=1))
        for name, vm in vms.items():
            assert vm.until("serial") == f"ds=nocloud;s={CLOUD}"
            assert vm.until("user-data") == f"#cloud-config|# of {name}, all of it|"
            assert re.fullmatch(rf'instance-id: vmlan-{name}-[0-9a-f]+\|local-hostname: "{name}"\|',
                                vm.until("meta-data"))
            assert vm.rest() == 0
    finally:
        for vm in vms.values():
            vm.close()


def one_line(user, code, *args, **kw):  # noqa: F811
    r = user.vmlan("run", *args, code=code, **kw)
    line, = r.stderr.splitlines()
    assert line.startswith("vmlan: error: "), r.stderr
    return line


@ORDINARY_ONLY
def test_lines(lab, files, tmp_path, monkeypatch):  # noqa: F811
    """What cannot be is said in one line, before there is a machine."""
    f = files("a", "x")
    vmm = ("--", "sh", "-c", ": {socket} {cloud}")
    long = tmp_path / "long"
    with open(long, "wb") as big:
        big.truncate((1 << 20) + 1)
    os.mkfifo(tmp_path / "fifo")
    for code, line, args in (
            (2, "--meta-data goes with", ("--meta-data", f)),
            (2, "leave one out", ("--cloud", "--user-data", f)),
            (2, "given twice", ("--user-data", f, "--user-data", f)),
            (125, "No such file", ("--user-data", str(tmp_path / "none"))),
            (125, "longer than 1048576 bytes", ("--user-data", str(long))),
            (125, "Is a directory", ("--user-data", str(tmp_path))),
            (125, "no ordinary file", ("--user-data", str(tmp_path / "fifo"))),
            (2, "there is none", ("--user-data", f, "--net", "none")),
            (2, "has no gateway", ("--user-data", f, "--net", "internal:in")),
            (5, "has a guestfwd=", ("--user-data", f, "-nic", "user,guestfwd=tcp:10.0.2.3:80-cmd:cat")),
            (2, "has tcp off", ("--user-data", f, "-nic", "user,tcp=off")),
    ):
        assert line in one_line(lab, code, "-q", *args, *vmm), args
    assert "{cloud}" in one_line(lab, 2, "-q", "--user-data", f, "--", "sh", "-c", ": {socket}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert "ssh-keygen" in one_line(lab, 125, "-q", "--cloud", *vmm)
    assert not lab.machines("lab")


@ORDINARY_ONLY
def test_requests(lab, plug, files):  # noqa: F811
    """The same by the control socket: as it is, and of the length that it may have."""
    a = plug("a")
    full, over = files("full", b"\0" * (1 << 20)), files("over", b"\0" * ((1 << 20) + 1))

    def ask(path, *options):
        r = sh(*lab.args("curl", "-sS", "--unix-socket", str(RUNDIR / "vmlan" / "lab" / "control"),
                         "-w", "\n%{http_code}", f"http://vmlan/v1/machines/{path}", *options))
        text, code = r.stdout.rsplit("\n", 1)
        return int(code), json.loads(text)

    def put(path, file):
        return ask(path, "-X", "PUT", "--data-binary", "@" + file)
    assert put("a/user-data", full) == (200, {"url": CLOUD})
    assert a.guest.sh("sh", "-c", f"curl -sS {CLOUD}user-data | wc -c").stdout == "1048576\n"
    assert status(a, CLOUD + "meta-data") == 404  # it was given none
    assert put("a/user-data", over)[0] == 413
    assert put("a/meta-data", files("new", "instance-id: 1\n"))[0] == 200
    assert curl(a, CLOUD + "meta-data") == "instance-id: 1\n"
    assert put("b/user-data", full)[0] == 404
    assert ask("a/user-data")[0] == 405
    assert put("a/life", full)[0] == 413 and put("a/vendor-data", files("x", "x"))[0] == 404


@ORDINARY_ONLY
def test_nothing_there(lab, plug):  # noqa: F811
    """Where nothing is served the port is closed, as it always was."""
    a = plug("a")
    curl(a, CLOUD, code=7)
