"""The command line ``conse-fast``.

It needs click and rich, the extra ``conse_fast[cli]``; nothing outside this folder imports them.
"""

from __future__ import annotations

import importlib.util
import io
import signal
import sys
from collections.abc import Sequence
from types import FrameType

_NEEDED = ("click", "rich")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs ``conse-fast`` and exits.

    The exit status is 0, 1 after an error, 2 when the command line itself is wrong, 130 after Ctrl-C, and 128 and
    the signal's number after SIGTERM, SIGHUP or a closed pipe.

    Args:
        arguments: What follows the program's name; None: ``sys.argv[1:]``.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(
            f"conse-fast: error: the command line needs {' and '.join(missing)}; "
            'install what it needs: pip install "conse_fast[cli]"'
        )
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, and so does this
            signal.signal(number, _stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # names and paths that a terminal cannot show are no failure
    try:
        from conse_fast.cli.program import program
    except KeyboardInterrupt:  # while it is loaded, nobody else is there to say so
        print("conse-fast: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)

    program.main(args=arguments, prog_name="conse-fast")


def _stop(number: int, frame: FrameType | None) -> None:
    # Unwinding the stack removes half-written files, which dying on the spot would not.
    sys.exit(128 + number)
