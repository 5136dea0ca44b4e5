"""What bench/networks, bench/forests and bench/knn share: peers that wait for their turn, interleaved rounds and their figures, tables."""
import os
import platform
import re
import statistics
import subprocess
import sys
import threading
from math import comb
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
VENV = ROOT / ".venv-peers"


def say(text):
    print(text, file=sys.stderr, flush=True)


def install(requirements, size):
    """The virtual environment of the peers, once. What cannot be had is said, and its contenders are left out when they do not start."""
    python, stamp, wanted = VENV / "bin" / "python", VENV / f"installed-{requirements}", (PEERS / requirements).read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    say(f"installing the peers: {size}, once")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    good = [subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", line], timeout=1800).returncode == 0
            for line in wanted.split()]
    if all(good):
        stamp.write_text(wanted)
    return python


def versions(python, packages):
    found = subprocess.run([python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], capture_output=True, text=True).stdout
    return [v.replace("==", " ") for v in found.split() if v.split("==")[0] in packages]


def environment():
    """Users' settings of BLAS kernels and threads would decide who wins."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "OMP_", "MKL_", "KMP_", "TF_", "GOMP_"))}


def on_cores(cores):
    mine = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", ",".join(map(str, mine[:cores]))]


def processor():
    name = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


class Asked:
    """A process that says "ready", then answers a line with a number. Its stderr goes to the log, whose last line says why it ended."""

    def __init__(self, command, log, cores):
        self.log, self.late, self.question = log, False, "start"
        self.process = subprocess.Popen(on_cores(cores) + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "w"), text=True,
                                        env=environment())

    def answer(self, within_s=240):
        """Its next word; it is ended where that takes too long."""
        def end():
            self.late = True
            self.process.kill()

        watch = threading.Timer(within_s, end)
        watch.start()
        try:
            for line in self.process.stdout:
                if re.fullmatch(r"ready|[0-9.e+-]+", line.strip()):
                    return line.strip()
        finally:
            watch.cancel()
        said = [f"no answer to {self.question} within {within_s} s"] if self.late else self.log.read_text().strip().splitlines() or ["it said nothing"]
        raise RuntimeError(said[-1][:200])

    def ask(self, question, within_s=240):
        self.question = question
        try:
            self.process.stdin.write(f"{question}\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it ended: answer says what it said
        return float(self.answer(within_s))

    def end(self):
        try:
            self.process.stdin.close()
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def interval(values):
    """Median, and the order statistics that hold the median with 95 % at least (all of them, where rounds are too few for that)."""
    x, n, low, tail = sorted(values), len(values), 0, 0.0
    for i in range(n // 2):
        tail += comb(n, i) / 2 ** n
        if tail > 0.025:
            break
        low = i
    return statistics.median(x), x[low], x[n - 1 - low]


def figure(values, form="{:.2f}"):
    middle, low, high = interval(values)
    if len(values) == 1:
        return form.format(middle)
    return f"{form.format(middle)} [{form.format(low)}, {form.format(high)}]"


def table(head, lines, markdown):
    if markdown:
        return ["| " + " | ".join(x) + " |" for x in [head, ["---"] * len(head), *lines]]
    widths = [max(len(x[i]) for x in [head, *lines]) for i in range(len(head))]
    return ["  ".join(v.ljust(w) for v, w in zip(x, widths)).rstrip() for x in [head, *lines]]
