# SPDX-License-Identifier: BSD-3-Clause
"""Two users of one host, by their real numbers: networks of one name are two,
and each is its owner's alone."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from world import VMLAN, process, sh, wait_for

pytestmark = pytest.mark.root  # it takes other users
ANN, BOB = 64001, 64002
# Where both may read it.
BIN = "/run/vmlan-of-all"


def home(uid):
    return f"/run/user/{uid}"


@pytest.fixture(params=["XDG_RUNTIME_DIR", "tmp"])
def folder(request):
    """Where a user's networks are: by his session's folder, or without one."""
    shutil.copy(VMLAN, BIN)
    os.chmod(BIN, 0o755)
    os.chmod("/run", 0o755)
    for uid in (ANN, BOB):
        os.makedirs(home(uid))
        os.chown(home(uid), uid, uid)
        os.chmod(home(uid), 0o700)
    has_xdg = request.param == "XDG_RUNTIME_DIR"
    yield lambda uid: pathlib.Path(f"{home(uid)}/vmlan" if has_xdg else f"/tmp/vmlan-{uid}")
    for uid in (ANN, BOB):
        shutil.rmtree(home(uid))
        shutil.rmtree(f"/tmp/vmlan-{uid}", ignore_errors=True)
    os.unlink(BIN)


def words(uid, *args, xdg=None):
    env = {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"}
    if xdg:
        env["XDG_RUNTIME_DIR"] = xdg
    who = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    return who + list(args), env


class User:
    def __init__(self, uid, folder):
        self.uid = uid
        self.xdg = home(uid) if str(folder(uid)).startswith("/run") else None

    def sh(self, *args, **kw):
        args, env = words(self.uid, *args, xdg=kw.pop("xdg", self.xdg))
        return sh(*args, env=env, cwd="/", check=False, timeout=60, **kw)

    def vmlan(self, *args, code=0, **kw):
        r = self.sh(BIN, *args, **kw)
        assert r.returncode == code, (args, r.returncode, r.stdout, r.stderr)
        return r

    def ls(self):
        return [(n["name"], n["mode"]) for n in json.loads(self.vmlan("ls", "--json").stdout)]


def ask(user, folder, request):
    """What a control socket answers to somebody, or why it does not."""
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(20)\n"
            "try:\n s.connect(sys.argv[1]); s.sendall(sys.argv[2].encode())\n"
            " print(s.recv(65536).decode())\n"
            "except OSError as e: print(type(e).__name__)\n")
    return user.sh("/usr/bin/python3", "-c", code, str(folder / "lab/control"),
                   request.replace("\n", "\r\n")).stdout


GET = "GET /v1/network HTTP/1.1\nHost: x\nConnection: close\n\n"


def attach(pid):
    body = json.dumps({"name": "mine", "pid": pid})
    return (f"POST /v1/machines HTTP/1.1\nHost: x\nConnection: close\n"
            f"Content-Length: {len(body)}\n\n{body}")


def test_one_name_two_networks(w, folder):
    ann, bob = User(ANN, folder), User(BOB, folder)
    ann.vmlan("up", "lab", "natnet")
    bob.vmlan("up", "lab", "internal")
    assert ann.ls() == [("lab", "natnet")] and bob.ls() == [("lab", "internal")]
    assert folder(ANN).stat().st_uid == ANN and folder(ANN).stat().st_mode & 0o777 == 0o700
    # A third one, root's, knows of neither, and removes neither.
    assert sh(VMLAN, "ls", "--json").stdout == "[]\n"
    assert sh(VMLAN, "down", "lab", check=False).returncode == 3
    # A machine of Bob's is on Bob's.
    r = bob.vmlan("run", "--net", "natnet:lab", "--", "sh", "-c", "{socket}", code=5)
    assert "is internal, not natnet" in r.stderr
    r = bob.vmlan("run", "-q", "--net", "internal:lab", "--", "echo", "{socket}")
    assert r.stdout == f"{folder(BOB)}/lab/vm.sock\n"
    assert json.loads(ann.vmlan("show", "--json", "lab").stdout)["machines"] == []
    bob.vmlan("down", "lab")
    assert bob.ls() == [] and ann.ls() == [("lab", "natnet")]
    bob.vmlan("down", "lab", code=3)
    ann.vmlan("down", "lab")
    assert ann.ls() == []


def test_nobody_elses(w, folder):
    """Who knows where another's network is cannot see, use or end it."""
    ann, bob = User(ANN, folder), User(BOB, folder)
    ann.vmlan("up", "lab", "natnet")
    o = json.loads(ann.vmlan("show", "--json", "lab").stdout)
    assert ask(ann, folder(ANN), GET).startswith("HTTP/1.1 200")
    assert ask(bob, folder(ANN), GET) == "PermissionError\n"
    assert bob.sh("ls", str(folder(ANN))).returncode != 0
    for pid in (o["keeper"], o["engine"]):
        assert bob.sh("kill", "-9", str(pid)).returncode != 0
    # Not as if he were at home there, either.
    for args in (("ls", "--json"), ("show", "lab"), ("down", "lab"), ("up", "lab"),
                 ("up", "lab2", "internal"), ("exec", "lab", "--", "true"),
                 ("run", "--net", "natnet:lab", "--", "sh", "-c", "{socket}")):
        r = bob.sh(BIN, *args, xdg=home(ANN))
        assert "lab" not in r.stdout, (args, r.stdout)
        assert r.returncode != 0 or args[0] == "ls", (args, r.stdout, r.stderr)
    # Nor is a process of his a machine of hers, whoever says so.
    with process(*words(BOB, "sleep", "100")[0]) as p:
        said = ask(ann, folder(ANN), attach(p.pid))
        assert "HTTP/1.1 403" in said and "another user" in said, said
    assert ann.ls() == [("lab", "natnet")]
    assert json.loads(ann.vmlan("show", "--json", "lab").stdout)["engine"] == o["engine"]
    ann.vmlan("down", "lab")


def test_a_killed_keepers_network_is_not_taken_over(w, folder):
    """The next command that gives it another keeper is one of its owner's."""
    ann, bob = User(ANN, folder), User(BOB, folder)
    ann.vmlan("up", "lab", "natnet")
    bob.vmlan("up", "lab", "internal")
    keeper = json.loads(ann.vmlan("show", "--json", "lab").stdout)["keeper"]
    os.kill(keeper, 9)
    wait_for("its end", lambda: "lab" not in sh("ls", str(folder(ANN))).stdout or
             subprocess.run(["flock", "-n", str(folder(ANN) / "lab/lock"), "true"]).returncode == 0)
    assert bob.vmlan("ls").stderr == "" and sh(VMLAN, "ls").stderr == ""
    assert (folder(ANN) / "lab/state").exists()
    assert "has another one now" in ann.vmlan("ls").stderr
    assert ann.ls() == [("lab", "natnet")]
    ann.vmlan("down", "lab")
    bob.vmlan("down", "lab")


@pytest.mark.parametrize("folder", ["tmp"], indirect=True)
@pytest.mark.parametrize("trap", ["folder", "open", "link", "file"])
def test_a_place_that_another_took_first(w, folder, trap):
    """In /tmp anybody may: it is refused, and nothing is written there."""
    ann, bob = User(ANN, folder), User(BOB, folder)
    place = str(folder(ANN))
    elsewhere = "/tmp/vmlan-elsewhere"
    steps = {"folder": ["mkdir", place], "file": ["touch", place],
             "open": ["install", "-d", "-m", "777", place],
             "link": ["ln", "-s", elsewhere, place]}
    bob.sh("mkdir", elsewhere)
    assert bob.sh(*steps[trap]).returncode == 0
    try:
        for args in (("up", "lab", "internal"), ("run", "--net", "nat", "--", "sh", "-c", "{socket}")):
            r = ann.sh(BIN, *args)
            assert r.returncode not in (0, 2) and len(r.stderr.splitlines()) == 1, r.stderr
            assert place in r.stderr
        if trap not in ("file", "link"):  # fs.protected_symlinks is for root, too
            assert os.listdir(place) == []
        assert os.listdir(elsewhere) == []
    finally:
        sh("rm", "-rf", place, elsewhere)
