# SPDX-License-Identifier: BSD-3-Clause
"""What bash offers: completions/vmlan and `vmlan complete`, by the words of the
program and the names of what runs.

      web: a cable of `lab`, natnet, with a forward
"""
import json
import os
import pathlib
import signal
import subprocess

import pytest

import world
from dhcp_raw import Raw
from test_control import ask, plug
from test_modes import RUNDIR, rundir, show, vmlan  # noqa: F401
from world import VMLAN, popen, sh

SCRIPT = world.HERE.parent.parent / "completions" / "vmlan"
# As readline calls it: the word before the cursor is split at COMP_WORDBREAKS.
DRIVER = r'''
source "$1"; COMP_LINE=$2; COMP_POINT=${#2}
PATH=$3:$PATH
complete -p vmlan >/dev/null || exit 3
_vmlan vmlan && printf '%s\n' "${COMPREPLY[@]}"
'''


def offers(line, check=True):
    r = sh("bash", "--norc", "-c", DRIVER, "bash", str(SCRIPT), "vmlan " + line,
           str(pathlib.Path(VMLAN).parent), check=check)
    assert r.stderr == ""
    return r.stdout.splitlines() if r.stdout != "\n" else []


@pytest.fixture
def lab():
    vmlan("up", "lab", "natnet")
    m = Raw(1, "web")
    try:
        plug(m)
        number = ask("POST", "/v1/forwards", {"spec": "127.0.0.1:0:22", "machine": "web"},
                     status=201)["forwards"][0]["id"]
        yield str(number)
    finally:
        m.unplug()
        for n in show("lab")["machines"]:
            ask("DELETE", f"/v1/machines/{n['name']}")
        vmlan("down", "lab")


def test_words_of_the_program(rundir):  # noqa: F811
    commands = [l.split()[0] for l in vmlan("--help").stdout.splitlines() if l.startswith("  ")]
    assert len(commands) > 15 and set(commands) < set(offers(""))
    assert {"complete", "connect"}.isdisjoint(offers(""))
    assert offers("mat") == ["matrix"] and offers("help mat") == ["matrix"]
    for c in commands:
        said = vmlan(c, "--help").stdout
        got = offers(c + " -")
        assert "--help" in got and all(o == "--help" or o in said for o in got), c
    assert set(offers("cap --")) == {"--memory", "--keep", "--last", "--json", "--help"}
    assert offers("matrix --guests q") == ["qemu"]
    assert offers("matrix --guests=q") == ["qemu"]  # bash has the rest as a word of its own
    assert offers("run --net inte") == ["internal:"]
    assert offers("run --net=natnet:x,ipv6-n") == ["x,ipv6-net="]
    assert offers("up x internal exe") == ["exec="]
    assert offers("up x exe") == []
    assert offers("join stre") == ["stream"]
    assert "stream,addr.path=" in offers("join stream,addr.")
    assert offers("run --nic e1000-8") != []
    assert offers("fwd lab ") == ["add", "ls", "rm"]
    assert offers("fwd lab add 80:80 pro") == ["proxy=v1", "proxy=v2"]
    assert offers("fwd lab add 80:80 proxy=") == ["v1", "v2"]
    assert "lo" in offers("setup bridge ")
    assert offers("nonsense ") == [] and offers("help x") == []


def test_files_and_programs(rundir, tmp_path):  # noqa: F811
    (tmp_path / "aa.pcapng").touch()
    (tmp_path / "ab").mkdir()
    assert sorted(offers(f"cap -w {tmp_path}/a")) == [f"{tmp_path}/aa.pcapng", f"{tmp_path}/ab"]
    assert offers(f"run --pxe {tmp_path}/a") == [f"{tmp_path}/ab"]
    assert "bash" in offers("run -p 22:22 -- bas") and "bash" in offers("exec lab bas")
    assert offers(f"exec lab ls {tmp_path}/ab") == [f"{tmp_path}/ab"]


def test_live_names(lab):
    for command in ("show", "down", "stats", "macs", "events", "exec"):
        assert offers(command + " l") == ["lab"], command
    for command in ("leases", "flows", "cap", "fwd"):
        assert {"lab", "web"} <= set(offers(command + " ")), command
        assert offers(command + " lab/") == ["lab/web"], command
    assert offers("ssh w") == ["web"] == offers("link w") == offers("why w")
    assert {"up", "to", "delay=", "rate="} <= set(offers("link web "))
    assert offers("link web to dup") == ["duplicate="]
    assert offers("run --net natnet:") == ["lab"]
    assert offers("fwd lab rm ") == [lab] == offers("fwd lab/web rm ") == offers("fwd web rm ")
    assert offers("fwd nosuch rm ") == []


def test_names_of_files(lab, monkeypatch, tmp_path):
    """What can be started, judged or compared by its file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "vmlan").mkdir()
    (tmp_path / "vmlan" / "lazy.conf").write_text("[network]\n")
    for command in ("up", "apply"):
        assert sorted(offers(command + " la")) == ["lab", "lazy"], command
    assert {"lab", "lazy"} <= set(offers("check la"))
    assert offers("down la") == ["lab"]


def test_it_starts_nothing_and_ends(lab):
    """What nobody holds is not offered, let alone started; who does not answer is
    not waited for."""
    (RUNDIR / "vmlan" / "left").mkdir()
    assert offers("show ") == ["lab"]
    assert (RUNDIR / "vmlan" / "left").is_dir()
    keeper = show("lab")["keeper"]
    os.kill(keeper, signal.SIGSTOP)
    try:
        # it asks before the other does, and gives up before
        p = popen(VMLAN, "complete", "cap", "", stdout=subprocess.PIPE, text=True)
        with popen(VMLAN, "show", "--json", "lab", stdout=subprocess.PIPE) as patient:
            assert p.communicate(timeout=60)[0] == "lab\n" and p.returncode == 0
            assert patient.poll() is None
            os.kill(keeper, signal.SIGCONT)
            assert json.loads(patient.communicate(timeout=60)[0])["keeper"] == keeper
    finally:
        os.kill(keeper, signal.SIGCONT)
    os.kill(keeper, signal.SIGKILL)
    world.wait_for("its end", lambda: world.is_dead(keeper))
    assert offers("show ") == []
    assert show("lab")["keeper"] != keeper
    assert not (RUNDIR / "vmlan" / "left").exists()  # as after any command but this one
