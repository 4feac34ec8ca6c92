"""The process that has imported the libraries and forks kernels; :mod:`.forking` starts it and talks to it.

It is run as a file, not as a part of its package, whose imports no kernel needs. Arguments are the libraries. A request is
a line of JSON on its standard input, answered by a line with the number of the process forked.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import signal
import sys


def serve(libraries: list[str]) -> None:
    """Import the libraries, then fork a kernel for each request, until there are no more."""
    for library in libraries:
        # What cannot be imported shall fail in the chapter that needs it.
        with contextlib.suppress(Exception):
            importlib.import_module(library)
    # Collecting garbage would write to the memory of all these objects, which the kernels share.
    gc.freeze()
    # Nobody asks for the status of the kernels, so none shall stay behind as a zombie.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become_kernel(**json.loads(line))
        print(child, flush=True)


def _become_kernel(arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    from ipykernel.kernelapp import launch_new_instance

    server = os.getppid()
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # The requests and the answers are not for this process.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # With the number of its parent it ends when that does.
    launch_new_instance(argv=[*arguments, f"--IPKernelApp.parent_handle={server}"])
    # The usual end would take every library apart, and to that end copy the memory shared with the server, for seconds.
    atexit._run_exitfuncs()
    os._exit(0)


if __name__ == "__main__":
    # The folder of this file is no place to import from.
    if sys.path[0] == os.path.dirname(os.path.abspath(__file__)):
        del sys.path[0]
    serve(sys.argv[1:])
