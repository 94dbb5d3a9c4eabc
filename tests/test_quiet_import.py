"""TensorFlow's notes on how it was built stay away; whatever else is said comes through."""

import signal
import subprocess
import sys

SAY = (
    "import os, sys\n"
    "from spectra_lib._base.quiet_import import without_notes\n"
    "with without_notes():\n"
    "    os.write(2, b'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n')\n"
    "    os.write(2, b'I0000 00:00:1795868870.624857    1609 port.cc:153] oneDNN custom operations are on.\\n')\n"
    "    os.write(2, b'W0000 00:00:1795868870.624857    1609 some.cc:1] a warning\\n')\n"
    "    os.write(2, b'E0000 00:00:1795868870.624857    1609 some.cc:1] an error\\n')\n"
    "    print('from Python', file=sys.stderr)\n"
    "    {end}\n"
    "print('afterwards', file=sys.stderr)\n"
    "os.write(2, b'I0000 00:00:1 1 some.cc:1] a note\\n')\n"
)
LOUD = [
    "W0000 00:00:1795868870.624857    1609 some.cc:1] a warning",
    "E0000 00:00:1795868870.624857    1609 some.cc:1] an error",
    "from Python",
]


def said(end: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", SAY.format(end=end)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_only_notes_are_kept_back_and_only_meanwhile():
    done = said("pass")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [*LOUD, "afterwards", "I0000 00:00:1 1 some.cc:1] a note"]


def test_what_was_said_before_an_error_comes_through():
    done = said("raise ImportError('no such backend')")
    assert done.stderr.splitlines()[:3] == LOUD
    assert done.stderr.splitlines()[-1] == "ImportError: no such backend"


def test_what_was_said_before_the_process_was_ended_comes_through():
    done = said("sys.stderr.flush(); os.abort()")
    assert done.returncode == -signal.SIGABRT
    assert done.stderr.splitlines()[:3] == LOUD


def test_it_works_without_standard_error():
    script = "from spectra_lib._base.quiet_import import without_notes\nwith without_notes():\n    pass\nprint('done')"
    with subprocess.Popen(
        ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.read() == "done\n"
