"""Sweeps that are killed at random, and at every fault point: nothing is lost, nothing is done twice, and the bits are those of an undisturbed run.

    python3 tests/process/kills.py FLOWSWEEP FLOWSWEEP_FAULTY --kills 300 --points --seed 1

Runs in the current folder, over the study small.cfg (tests/process/setup.sh). --points: each point of base/fault.h that a run passes, in each rank that passes it, at
its first, middle and last time. --kills: a worker, the coordinator, mpirun or everything at a random moment, or the coordinator in the middle of a commit;
gone on with on 0 to 4 workers. The seed is printed; moments depend on the machine, so a seed does not repeat a run to the letter.
"""
import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

SETS = ["-q", "--set", "space.train.epochs=20", "--set", "space.train.patience=0", "--set", "budget.checkpoint=0.05", "--set", "budget.silence=20"]
PATIENCE_S = 120  # a run that takes longer hangs


def run(program, db, workers, *more, fault=None, log=None):
    env = dict(os.environ)
    env.update({"FLOWSWEEP_FAULT": fault} if fault else {}, **({"FLOWSWEEP_FAULT_LOG": log} if log else {}))
    return subprocess.Popen([program, "run", "small.cfg", "-n", str(workers), *SETS, "--set", f"study.database={db}", *more],
                            env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open("err.txt", "w"))


def state_of(pid):
    try:
        state = next(line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("State:"))
        return f"{pid} {state} rank {rank_of(pid)} in {open(f'/proc/{pid}/wchan').read()}: {open(f'/proc/{pid}/cmdline').read().replace(chr(0), ' ')[:120]}"
    except (OSError, StopIteration):
        return f"{pid} gone"


def wait(process, what="nothing"):
    try:
        return process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        print("\n".join(["WRONG a run hangs, after " + what, open("err.txt").read(), *map(state_of, [process.pid, *descendants(process.pid)])]), flush=True)
        if "FLOWSWEEP_KEEP_HANG" in os.environ:  # for a debugger
            time.sleep(1000)
        for pid in [*descendants(process.pid), process.pid]:
            kill(pid)
        sys.exit(1)


def descendants(pid):
    try:
        children = [int(c) for t in os.listdir(f"/proc/{pid}/task") for c in open(f"/proc/{pid}/task/{t}/children").read().split()]
    except OSError:
        return []
    return [d for c in children for d in (c, *descendants(c))]


def rank_of(pid):
    try:
        for word in open(f"/proc/{pid}/environ", "rb").read().split(b"\0"):
            if word.startswith(b"OMPI_COMM_WORLD_RANK="):
                return int(word.split(b"=")[1])
    except OSError:
        pass
    return None


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except OSError:
        return False


def kill_something(process, what, rng):
    """Kills; says how many processes were hit."""
    below = descendants(process.pid)
    ranks = {rank_of(p): p for p in below if rank_of(p) is not None}
    workers = [p for r, p in ranks.items() if r > 0]
    if what == "everything" or not below:
        return sum(kill(p) for p in [process.pid, *below])
    if what == "mpirun":
        return kill(below[0])
    if what == "coordinator" and 0 in ranks:
        return kill(ranks[0])
    return kill(rng.choice(workers)) if workers else 0


def check(db, expected, program, what):
    """A finished database: all trials done, each once, the digest that it must have."""
    con = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    states = con.execute("SELECT state, count(*) FROM trial GROUP BY state").fetchall()
    twice = con.execute("SELECT trial FROM attempt WHERE outcome = 'done' GROUP BY trial HAVING count(*) > 1").fetchall()
    con.close()
    digest = subprocess.run([program, "db", "digest", db], capture_output=True, text=True).stdout
    damage = subprocess.run([program, "db", "check", db], capture_output=True, text=True)
    for wrong, found in ((states != [("done", 14)], f"states {states}"), (twice, f"done twice: {twice}"), (digest != expected, "another digest"),
                         (damage.returncode, damage.stdout)):
        if wrong:
            sys.exit(f"WRONG after {what}: {found}; the database is {os.path.abspath(db)}")
    for name in (db, db + "-wal", db + "-shm"):
        if os.path.exists(name):
            os.remove(name)


def go_on(program, db, workers, what):
    code = wait(run(program, db, workers), f"{what}, going on with {workers} workers")
    if code != 0:
        sys.exit(f"WRONG going on after {what} ends with {code}: {open('err.txt').read()}")


def points_passed(faulty):
    """(point, rank, how often) of a run on two workers."""
    if wait(run(faulty, "log.db", 2, log="points.txt")) != 0:
        sys.exit("WRONG a run without faults fails")
    passed = {}
    for line in open("points.txt"):
        point, count, rank = line.split()
        passed[point, int(rank)] = max(passed.get((point, int(rank)), 0), int(count))
    return passed


def every_point(program, faulty, expected, rng, times):
    passed = points_passed(faulty)
    n = 0
    for (point, rank), count in sorted(passed.items()):
        actions = {"write": ["kill", "short", "full"], "sync": ["kill", "fail"], "send": ["kill", "drop"], "receive": ["kill", "drop"]}.get(point, ["kill"])
        for action in actions:
            for k in sorted({1, (count + 1) // 2, count} if times == 3 else {(count + 1) // 2}):
                fault = f"{point}:{k}:{action}:{rank}"
                wait(run(faulty, "p.db", 2, "--no-restart", fault=fault), fault)
                go_on(program, "p.db", rng.randint(0, 4), fault)
                check("p.db", expected, program, fault)
                n += 1
    print(f"ok    {n} faults at {len(passed)} points and ranks ({', '.join(sorted({p for p, _ in passed}))})", flush=True)


def disturb(program, faulty, db, rng, seconds):
    """One launch of a sweep that takes so many seconds, one kill. Says what was hit, or None where the run ended before."""
    workers = rng.choice([0, 1, 2, 2, 3, 4])
    what = rng.choice(["worker", "coordinator", "mpirun", "everything", "commit"])
    restart = [] if rng.random() < 0.3 else ["--no-restart"]
    if what == "commit":
        fault = f"{rng.choice(['write', 'write', 'sync', 'commit', 'committed', 'transition'])}:{rng.randint(1, 250)}:kill:0"
        process = run(faulty, db, workers, *restart, fault=fault)
        code = wait(process, fault)
        return f"{fault} on {workers} workers" if code != 0 else None
    process = run(program, db, workers, *restart)
    time.sleep(rng.uniform(0.02, 0.9 * seconds))
    hit = kill_something(process, what, rng) if process.poll() is None else 0
    wait(process, f"killing {hit} of {what} of {workers} workers")
    return f"{what} of {workers} workers" if hit else None


def random_kills(program, faulty, expected, rng, kills):
    done, studies, counts, said = 0, 0, {}, 0
    start = time.monotonic()
    go_on(program, "k.db", 2, "nothing")
    seconds = time.monotonic() - start
    check("k.db", expected, program, "nothing")
    while done < kills:
        story = []
        for _ in range(rng.randint(1, 8)):
            what = disturb(program, faulty, "k.db", rng, seconds)
            seconds *= 1.05 if what else 0.8  # the machine may be busier or calmer than at the start
            if not what:
                break
            story.append(what)
            counts[what.split(":")[0].split()[0]] = counts.get(what.split(":")[0].split()[0], 0) + 1
        go_on(program, "k.db", rng.randint(0, 4), story)
        check("k.db", expected, program, story)
        done += len(story)
        studies += 1
        if done >= said + 50:
            print(f"{done} kills in {studies} studies", flush=True)
            said = done
    print(f"ok    {done} kills in {studies} studies: {', '.join(f'{k} {v}' for k, v in sorted(counts.items()))}", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("program")
    p.add_argument("faulty")
    p.add_argument("--kills", type=int, default=0)
    p.add_argument("--points", type=int, default=0, help="how often each: 1 or 3 times")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    a = p.parse_args()
    print(f"seed {a.seed}", flush=True)
    rng = random.Random(a.seed)
    if wait(run(a.program, "whole.db", 0)) != 0:
        sys.exit("WRONG an undisturbed run fails")
    expected = subprocess.run([a.program, "db", "digest", "whole.db"], capture_output=True, text=True).stdout
    if a.points:
        every_point(a.program, a.faulty, expected, rng, a.points)
    if a.kills:
        random_kills(a.program, a.faulty, expected, rng, a.kills)


main()
