"""The disturbances of the soak: processes killed, PostgreSQL restarted, connections cut, an LLM
that fails. All of them follow from the seed, but for the moments at which they meet the work.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import psutil

from orchestration.local import postgres
from orchestration.local.processes import STACK_MARK
from orchestration.settings import REPOSITORY
from tests.conftest import Analyst, Services
from tests.soak.proxy import Proxy

_FAULTS: Sequence[dict[str, object]] = (
    {"kind": "rate_limit", "retry_after": 0.5},
    {"kind": "server_error"},
    {"kind": "latency", "seconds": 1.5},
    {"kind": "hang", "times": 3},
    {"kind": "cut_off", "times": 3},
    {"kind": "refusal", "times": 3},
    {"kind": "invalid_json", "times": 3},
    {"kind": "unauthorized"},
)


class Processes:
    """Child processes by name, each started again when it ends, until `stop`."""

    def __init__(self, commands: Mapping[str, Sequence[str]], stack_id: str) -> None:
        self._commands = commands
        self._env = {**os.environ, STACK_MARK: stack_id}
        self._stopping = threading.Event()
        self._running = {name: self._start(name) for name in commands}
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def kill(self, name: str) -> None:
        """SIGKILL, and to its children too."""
        process = self._running[name]
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()

    def stop(self) -> None:
        """Kill them all, and start none again."""
        self._stopping.set()
        self._keeper.join()
        for name, process in self._running.items():
            self.kill(name)
            process.wait(60)

    def _keep(self) -> None:
        while not self._stopping.wait(0.1):
            for name, process in self._running.items():
                if process.poll() is not None:
                    self._running[name] = self._start(name)

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", *self._commands[name]],
            cwd=REPOSITORY,
            env=self._env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


class Server:
    """PostgreSQL of the soak's own, that can be stopped as by a power cut."""

    def __init__(self, services: Services, cluster: postgres.Cluster) -> None:
        self._services = services
        self._cluster = cluster
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = self._services.state.logs / "soak-postgres.log"
        self._process = self._services.run(self._cluster.part(log), self._cluster.is_ready)

    def stop(self) -> None:
        """For good."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)

    def restart(self) -> None:
        """Immediate shutdown, without a checkpoint; the start recovers from the log."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(60)
        self.start()


class Chaos(threading.Thread):
    """One disturbance after another until `stop`; `counts` says how many of each."""

    def __init__(
        self, seed: int, processes: Processes, server: Server, proxy: Proxy, analyst: Analyst
    ) -> None:
        super().__init__(daemon=True)
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._proxy = proxy
        self._analyst = analyst
        self._ending = threading.Event()
        self._disturbances: Mapping[str, tuple[int, Callable[[], None]]] = {
            "kills of the sensor or its run": (4, lambda: processes.kill("sensor and run")),
            "kills of the streaming worker": (3, lambda: processes.kill("worker")),
            "restarts of PostgreSQL": (1, server.restart),
            "cuts of all connections to the emulator": (2, self._cut),
            "times of LLM faults": (4, self._spoil),
        }

    def run(self) -> None:
        """At a moment of its own choice every one to four seconds."""
        names = list(self._disturbances)
        weights = [weight for weight, _ in self._disturbances.values()]
        while not self._ending.wait(self._random.uniform(1, 4)):
            name = self._random.choices(names, weights)[0]
            self._disturbances[name][1]()
            self.counts[name] += 1

    def stop(self) -> None:
        """Let everything recover."""
        self._ending.set()
        self.join()
        self._proxy.mend()
        self._analyst.recover()

    def _cut(self) -> None:
        self._proxy.cut()
        self._ending.wait(self._random.uniform(0.2, 2))
        self._proxy.mend()

    def _spoil(self) -> None:
        self._analyst.fail_with(self._random.choice(_FAULTS))
        self._ending.wait(self._random.uniform(1, 3))
        self._analyst.recover()
