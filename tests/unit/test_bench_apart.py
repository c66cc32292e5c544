"""Programs that are measured run apart, and end with who started them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from bench.apart import ROOT, run_python

CHILD = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True); time.sleep(600)"
PARENT = "import sys; from bench.apart import run_python; run_python(['-c', sys.argv[1], sys.argv[2]])"


def test_what_a_program_said_and_how_it_ended_is_told():
    ran = run_python(["-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"])
    assert (3, b"out\n", b"err\n") == (ran.exit_code, ran.stdout, ran.stderr)
    assert ran.peak_bytes > 1 << 20


def test_a_program_may_leave_its_bytecode_for_the_next(monkeypatch):
    """Whatever the caller's environment says: a command that compiles all its modules is no usual one."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert b"False\n" == run_python(["-c", "import sys; print(sys.dont_write_bytecode)"]).stdout


def test_who_is_interrupted_leaves_no_program_behind(tmp_path: Path):
    told = tmp_path / "pid"
    os.mkfifo(told)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD, str(told)], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as parent:
        number = told.read_text().strip()
        parent.send_signal(signal.SIGINT)
        assert 0 != parent.wait(60)
    assert number.isdigit()
    assert not Path("/proc", number).exists()
