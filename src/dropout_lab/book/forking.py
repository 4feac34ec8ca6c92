"""Kernels that begin with the libraries imported: they are forked from one process that has imported them.

A kernel needs several seconds for torch, SymPy and SciPy, and each chapter has a kernel of its own. Forking costs
milliseconds, and imports in the chapter then find what they ask for. Linux only: elsewhere libraries do not promise to
survive a fork, and a process can be waited for by its parent alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner
from nbclient import NotebookClient

#: What the chapters import and is not bound to a running kernel: pyplot is, which looks for one when it is imported.
LIBRARIES = (
    "ipykernel.kernelapp",
    "joblib",
    "matplotlib.axes",
    "scipy.stats",
    "sklearn.datasets",
    "sympy",
    "torch",
)
#: The module that a kernel's command runs; the rest of the command is for the kernel itself.
_LAUNCHER = "ipykernel_launcher"


def available() -> bool:
    """Whether this system can fork kernels: whether it lets one wait for a process that is not one's child."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


class KernelServer:
    """The process that forks kernels, for as long as a ``with`` block lasts.

    ``environment`` holds for the imports; some libraries read their settings then.
    """

    def __init__(self, environment: Mapping[str, str], libraries: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("kernel_server.py"), *libraries],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # matplotlib reads it when it is imported, and a kernel sets it too late for that.
            env={**environment, "MPLBACKEND": "module://matplotlib_inline.backend_inline"},
            # Unbuffered, for what a dead server did not take would be in the way at the end.
            bufsize=0,
            # What interrupts the build at the terminal is for the build, which then ends the server.
            start_new_session=True,
        )

    def __enter__(self) -> KernelServer:
        return self

    def __exit__(self, *error: Any) -> None:
        # Without more requests to come the server ends.
        self._process.__exit__(*error)

    def fork(self, arguments: list[str], folder: str, environment: Mapping[str, str]) -> int:
        """Start a kernel with these arguments; the number of its process. Raises RuntimeError if the server has died."""
        request = {"arguments": arguments, "folder": folder, "environment": dict(environment)}
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that forks kernels has ended")
        return int(answer)


def fork_kernel(client: NotebookClient, server: KernelServer) -> None:
    """Let ``server`` fork the kernel of a client that has none yet."""
    manager = client.create_kernel_manager()
    manager.provisioner = _ForkedKernel(kernel_id=str(uuid.uuid4()), kernel_spec=manager.kernel_spec, parent=manager)
    manager.provisioner.server = server


class _ForkedKernel(LocalProvisioner):
    """A kernel of this machine, forked instead of started anew."""

    server: KernelServer

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        own = cmd[cmd.index(_LAUNCHER) + 1 :]
        self.process = _Forked(self.server.fork(own, kwargs.get("cwd") or os.getcwd(), kwargs["env"]))
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class _Forked:
    """What a provisioner asks of a process where there are process groups, for one whose parent is the server."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """None while it runs, then 0: its exit status is known to its parent alone."""
        ended, _, _ = select.select([self._handle], [], [], 0)
        return 0 if ended else None

    def wait(self) -> int:
        """Wait for the end."""
        select.select([self._handle], [], [])
        os.close(self._handle)
        return 0

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)
