"""What concerns the whole process: imports, forks, threads, Ctrl-C, memory, and never reading past the end.

Each test runs in an interpreter of its own, so that a crash is a failure with a name and not the end of all.
"""

from __future__ import annotations

import os
import pickle
import sys

import numpy as np
import pytest
from reference import random_problem

import conse_fast as cf

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

# What the code below shares. `problem` makes (probabilities, classes, labels) like reference.random_problem.
PRELUDE = """
import os, signal, sys, threading, time
import numpy as np
import conse_fast as cf

def problem(n, n_classes, n_labels, dimension):
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((12, dimension))
    def embeddings(count):
        rows = centres[rng.integers(12, size=count)] + 0.5 * rng.standard_normal((count, dimension))
        return rows.astype(np.float32)
    return rng.random((n, n_classes)).astype(np.float32) ** 8, embeddings(n_classes), embeddings(n_labels)

def memory(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field)) * 1024
"""


# -------------------------------------------------------------------------------------------------- importing


def test_import_is_quick(run_python):
    # 50 ms beside NumPy's own are allowed; the best of five, since other processes may be busy.
    code = """
import time
import numpy
begin = time.perf_counter()
import conse_fast
print(time.perf_counter() - begin)
"""
    assert min(float(run_python(code)) for _ in range(5)) < 0.05


def test_import_pulls_in_nothing_but_numpy(run_python):
    packages = run_python("""
import sys, sysconfig
before = set(sys.modules)
import conse_fast
for name in set(sys.modules) - before:
    file = getattr(sys.modules[name], "__file__", None) or ""
    if "site-packages" in file or file and not file.startswith(sysconfig.get_path("stdlib")):
        print(name.split(".")[0])
""").split()
    assert set(packages) <= {"numpy", "conse_fast"}
    assert "conse_fast" in packages


def test_import_starts_no_thread_and_prints_nothing(run_python):
    code = "import threading, os, numpy; n = len(os.listdir('/proc/self/task')); import conse_fast; "
    code += "assert len(os.listdir('/proc/self/task')) == n"
    assert run_python(code, OPENBLAS_NUM_THREADS="1") == ""


def test_an_unknown_target_does_not_break_the_import(run_python):
    text = run_python(
        "import conse_fast as cf\ntry: cf.target()\nexcept ValueError as error: print(error)",
        CONSE_FAST_TARGET="z80",
    )
    assert "z80" in text
    assert "generic" in text


@pytest.mark.parametrize("name", cf.targets())
def test_the_target_of_a_fresh_process(run_python, name):
    assert run_python("import conse_fast as cf; print(cf.target())", CONSE_FAST_TARGET=name).strip() == name


def test_targets_are_listed_best_first(run_python):
    targets = cf.targets()
    assert isinstance(targets, tuple)
    assert targets[-1] == "generic"
    assert len(set(targets)) == len(targets)
    levels = [name for name in targets if name.startswith("x86-64-")]
    assert levels == sorted(levels, reverse=True)
    code = "import os; os.environ.pop('CONSE_FAST_TARGET', None); import conse_fast as cf; print(cf.target())"
    assert run_python(code).strip() == targets[0]


# ------------------------------------------------------------------------------------------ threads and forks


def test_max_threads_respects_omp_num_threads_and_affinity(run_python):
    code = "import conse_fast as cf; print(cf.max_threads())"
    assert int(run_python(code)) >= 1
    assert int(run_python(code, OMP_NUM_THREADS="1")) == 1
    if hasattr(os, "sched_setaffinity"):
        pin = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        assert int(run_python(pin + code)) == 1
        # A mask that is set later counts as well: n_threads=None means what is allowed now.
        pin = "import conse_fast as cf; cf.max_threads(); " + pin
        assert int(run_python(pin + code)) == 1


def test_max_threads_respects_threadpoolctl(run_python):
    pytest.importorskip("threadpoolctl", reason="threadpoolctl is not installed")
    printed = run_python("""
import threadpoolctl
import conse_fast as cf
with threadpoolctl.threadpool_limits(1, user_api="openmp"):
    print(cf.max_threads())
""")
    assert int(printed) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_fork_after_threads_works(run_python):
    run_python(
        PRELUDE
        + """
p, classes, labels = problem(2000, 100, 5000, 16)
index = cf.ConseIndex.build(classes, labels, n_threads=2)
expected = index.rank(p, n_threads=2)
dense = cf.cosine_rank(classes, labels, n_threads=2)

children = []
for n_threads in (None, 1, 2):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a child that hangs ends with SIGALRM
        ranking = index.rank(p, n_threads=n_threads)
        good = all(map(np.array_equal, ranking, expected))
        good &= all(map(np.array_equal, cf.cosine_rank(classes, labels, n_threads=n_threads), dense))
        cf.ConseIndex.build(classes, labels, n_threads=n_threads)
        os._exit(0 if good else 1)
    children.append(child)
for child in children:
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
assert all(map(np.array_equal, index.rank(p, n_threads=2), expected)), "the parent goes on"
"""
    )


def test_a_pool_of_forked_workers(run_python):
    run_python(
        PRELUDE
        + """
import multiprocessing, pickle
p, classes, labels = problem(1000, 100, 5000, 16)
cf.ConseIndex.build(classes, labels).save("index.safetensors")
index = cf.ConseIndex.open("index.safetensors")
expected = index.rank(p)
with multiprocessing.get_context("fork").Pool(2) as pool:
    parts = pool.map_async(index.rank, np.split(p, 4)).get(timeout=30)
assert np.array_equal(np.concatenate([part.indices for part in parts]), expected.indices)
assert np.array_equal(np.concatenate([part.scores for part in parts]), expected.scores)
"""
    )


def test_a_pickled_index_works_in_a_fresh_process(run_python, tmp_path):
    problem = random_problem()
    index = cf.ConseIndex.build(*problem[1:], path=tmp_path / "index.safetensors")
    ranking = index.rank(problem.probabilities)
    (tmp_path / "everything.pickle").write_bytes(pickle.dumps((index, problem.probabilities, ranking)))
    run_python("""
import pickle
import numpy as np
with open("everything.pickle", "rb") as file:
    index, probabilities, ranking = pickle.load(file)
assert all(map(np.array_equal, index.rank(probabilities), ranking))
""")


def test_concurrent_ranks_agree(run_python):
    run_python(
        PRELUDE
        + """
from concurrent.futures import ThreadPoolExecutor
p, classes, labels = problem(300, 100, 5000, 16)
indexes = [cf.ConseIndex.build(classes, labels, compact=compact) for compact in (False, True)]
expected = [index.rank(p) for index in indexes]

def work(number):
    which, n_threads = number % 2, (None, 1, 2, 3)[number % 4]
    ranking = indexes[which].rank(p, n_threads=n_threads)
    return all(map(np.array_equal, ranking, expected[which]))

with ThreadPoolExecutor(8) as pool:
    assert all(pool.map(work, range(64)))
"""
    )


# Another thread counts while the main one works: then done.set(), thread.join(), and look at the ticks.
COUNTING_THREAD = """
import threading, time
ticks, done = [], threading.Event()
def count():
    while not done.wait(0.001):
        ticks.append(time.perf_counter())
thread = threading.Thread(target=count)
thread.start()
"""


def test_other_threads_run_while_the_core_works(run_python):
    # The lock of the interpreter is given up around the core call: a counting thread gets on with it.
    run_python(
        PRELUDE
        + """
p, classes, labels = problem(1, 200, 5000, 16)
index = cf.ConseIndex.build(classes, labels)
rows = np.broadcast_to(p, (60_000, 200))
"""
        + COUNTING_THREAD
        + """
begin = time.perf_counter()
index.rank(rows, 100, None, n_threads=1)
end = time.perf_counter()
done.set()
thread.join()
gaps = np.diff([begin, *[tick for tick in ticks if begin < tick < end], end])
assert end - begin > 0.05, end - begin
assert gaps.max() < (end - begin) / 2, gaps.max()
"""
    )


def test_closing_while_another_thread_ranks(run_python):
    run_python(
        PRELUDE
        + """
p, classes, labels = problem(500, 100, 5000, 16)
cf.ConseIndex.build(classes, labels).save("index.safetensors")
expected = cf.ConseIndex.open("index.safetensors").rank(p)
for _ in range(20):
    index = cf.ConseIndex.open("index.safetensors")
    failures = []
    def work():
        try:
            while True:
                if not all(map(np.array_equal, index.rank(p), expected)):
                    failures.append("another ranking")
        except ValueError as error:
            if "closed" not in str(error):
                failures.append(str(error))
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.005)
    index.close()
    thread.join()
    assert not failures, failures
"""
    )


# ----------------------------------------------------------------------------------------------------- Ctrl-C

# A signal 0.1 s after the start stands for Ctrl-C, stopping within a second is prompt. Every job takes a second or more
# on two cores of 2026, so that faster machines are not done before the signal either.
INTERRUPTED = (
    PRELUDE
    + """
def interrupted(call):
    moment = []
    def interrupt():
        moment.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
    timer = threading.Timer(0.1, interrupt)
    timer.start()
    try:
        call()
    except KeyboardInterrupt:
        assert moment, "interrupted by something else"
        delay = time.perf_counter() - moment[0]
        assert delay < 1, f"stopped after {delay:.1f} s"
    else:
        timer.cancel()
        raise AssertionError("was not interrupted")
"""
)


@pytest.mark.parametrize("call", ["index.rank(rows, 1, None)", "index.embed(rows, None)"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_stops_a_long_rank(run_python, call, n_threads):
    # Rows that are one row in memory.
    run_python(
        INTERRUPTED
        + f"""
p, classes, labels = problem(1, 1000, 3000, 32)
index = cf.ConseIndex.build(classes, labels)
rows = np.broadcast_to(p, (3_000_000, 1000))
interrupted(lambda: {call[:-1]}, n_threads={n_threads}))
index.rank(p)
"""
    )


def test_ctrl_c_stops_a_rank_that_cannot_be_pruned(run_python):
    """Flat probabilities on Gaussian embeddings take a thousand times what the estimate says."""
    run_python(
        INTERRUPTED
        + """
rng = np.random.default_rng(0)
index = cf.ConseIndex.build(rng.standard_normal((60, 32)), rng.standard_normal((400_000, 32), np.float32), compact=True)
rows = np.broadcast_to(np.ones(60, np.float32), (20_000, 60))
interrupted(lambda: index.rank(rows, 1000, None))
"""
    )


def test_ctrl_c_stops_a_long_dense_ranking(run_python):
    run_python(
        INTERRUPTED
        + """
_, queries, labels = problem(1, 100_000, 100_000, 64)
interrupted(lambda: cf.cosine_rank(queries, labels, 1))
"""
    )


@pytest.mark.parametrize("where", ["path=None", "path='index.safetensors'"])
def test_ctrl_c_stops_a_long_build_and_leaves_no_file(run_python, tmp_path, where):
    run_python(
        INTERRUPTED
        + f"""
_, classes, labels = problem(1, 2000, 150_000, 64)
interrupted(lambda: cf.ConseIndex.build(classes, labels, compact=True, {where}))
"""
    )
    assert list(tmp_path.iterdir()) == []


# ----------------------------------------------------------------------------------------------------- memory


@linux
def test_opening_is_quick_and_costs_no_memory(run_python, tmp_path):
    # Promised: 5 ms and 10 MB to open, 20 ms and 15 MB for the first rank. A busy machine gets more time.
    problem = random_problem(n=1, n_classes=1000, n_labels=20_000, dimension=64, sharpness=8)
    cf.ConseIndex.build(*problem[1:], path=tmp_path / "index.safetensors")
    np.save(tmp_path / "row.npy", problem.probabilities[0])
    code = (
        PRELUDE
        + """
row = np.load("row.npy")
before = memory("VmRSS"), time.perf_counter()
index = cf.ConseIndex.open("index.safetensors")
opened = memory("VmRSS"), time.perf_counter()
index.rank(row)
ranked = memory("VmRSS"), time.perf_counter()
print(*(b - a for a, b in zip(before, opened)), *(b - a for a, b in zip(opened, ranked)))
"""
    )
    measured = np.array([run_python(code).split() for _ in range(3)], dtype=float).min(axis=0)
    open_bytes, open_seconds, rank_bytes, rank_seconds = measured
    assert open_bytes < 10e6
    assert open_seconds < 0.02
    assert rank_bytes < 15e6
    assert rank_seconds < 0.05


@linux
def test_cosine_rank_copies_no_label_matrix(run_python):
    # 100 MB in a file: memory of the process itself (not the page cache) must not grow by anything like it.
    run_python(
        PRELUDE
        + """
labels = np.lib.format.open_memmap("labels.npy", "w+", np.float16, (400_000, 128))
labels[:, 0] = 1
labels = np.load("labels.npy", mmap_mode="r")
query = np.ones((1, 128), np.float32)
cf.cosine_rank(query, labels[:100])
before = memory("RssAnon")
for view in (labels, labels[::2], labels[:, :100]):
    cf.cosine_rank(query[:, : view.shape[1]], view)
    assert memory("RssAnon") - before < 15e6
"""
    )


@linux
def test_nothing_leaks(run_python):
    run_python(
        PRELUDE
        + """
p, classes, labels = problem(20, 50, 1000, 16)
cf.ConseIndex.build(classes, labels, label_names=["x"] * 1000).save("index.safetensors")

def use():
    with cf.ConseIndex.open("index.safetensors") as index:
        index.rank(p).names
        index.embed(p)
        index.label_names[5]
        index.label_class.sum()
    cf.ConseIndex.build(classes, labels).rank(p)
    cf.conse(p, classes, labels)
    try:
        index.rank(p)
    except ValueError:
        pass

def state():
    with open("/proc/self/maps") as maps:
        return memory("VmRSS"), len(os.listdir("/proc/self/fd")), len(maps.readlines())

for _ in range(30):
    use()
before = state()
for _ in range(150):
    use()
after = state()
assert after[0] - before[0] < 5e6, (before, after)
assert after[1] == before[1], (before, after)
assert after[2] - before[2] < 20, (before, after)
"""
    )


@linux
def test_nothing_is_read_past_the_end(run_python):
    # Every input lies flush against a page that must not be touched, as the end of a mapped file can.
    run_python(
        PRELUDE
        + """
import ctypes, mmap

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

def at_the_edge(array):
    pages = -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    begin = libc.mmap(None, pages + mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    assert libc.mprotect(begin + pages, mmap.PAGESIZE, 0) == 0
    memory = (ctypes.c_char * array.nbytes).from_address(begin + pages - array.nbytes)
    copy = np.frombuffer(memory, array.dtype).reshape(array.shape)
    copy[...] = array
    return copy

for target in cf.targets():
    os.environ["CONSE_FAST_TARGET"] = target
    for size in (1, 2, 7, 15, 16, 17, 31, 33, 63, 65):
        for dtype in (np.float16, np.float32, np.float64):
            p, classes, labels = problem(3, size, size, size)
            edge = at_the_edge(p.astype(dtype))
            edge_classes, edge_labels = at_the_edge(classes.astype(dtype)), at_the_edge(labels.astype(dtype))
            cf.top_k(edge, 3)
            cf.convex_combination(edge, edge_classes)
            if dtype is not np.float64:
                cf.cosine_rank(at_the_edge(classes), edge_labels)
                cf.conse(edge, edge_classes, edge_labels)
            for compact in (False, True):
                index = cf.ConseIndex.build(edge_classes, edge_labels, compact=compact)
                index.rank(edge, out=tuple(at_the_edge(np.zeros((3, 10), dtype)) for dtype in ("f4", "i8")))
                index.rank_logits(edge)
                index.rank_pairs(at_the_edge(np.arange(size)), edge[-1])
                index.embed(edge, out=at_the_edge(np.zeros((3, size), "f4")))
"""
    )


def test_ranking_while_another_thread_changes_the_environment(run_python):
    """Setting a variable may move the environment, so it must not be read without the GIL."""
    run_python(
        """
import os, threading, time
import numpy as np
import conse_fast as cf
rows = np.random.default_rng(0).random((4, 50), np.float32)
done = False
def rank():
    while not done:
        cf.top_k(rows, 3)
threads = [threading.Thread(target=rank) for _ in range(2)]
for thread in threads: thread.start()
end = time.monotonic() + 2
i = 0
while time.monotonic() < end:
    os.environ[f"CONSE_TEST_{i}"] = "x" * 50
    i += 1
done = True
for thread in threads: thread.join()
"""
    )


def test_progress_that_changes_the_ids_of_rows(run_python):
    """Ids are read once, when they are checked: what happens to the array later cannot harm."""
    run_python(
        """
import numpy as np
import conse_fast as cf
rng = np.random.default_rng(0)
ids = np.arange(50000)
index = cf.ConseIndex.build(rng.standard_normal((50, 16)), rng.standard_normal((50000, 16)), row_label=ids,
                            progress=lambda share: ids.fill(2**62 // 3), n_threads=1)
index.verify()
"""
    )


def test_a_file_left_by_a_killed_process_does_not_block_the_next(run_python, tmp_path):
    """In a container the process id is the same after every restart."""
    run_python(
        """
import os
import numpy as np
import conse_fast as cf
for number in range(5):
    open(f".conse_fast-{os.getpid()}-{number}.tmp", "w").close()
cf.ConseIndex.build(np.eye(3), np.eye(3)).save("index.safetensors")
cf.ConseIndex.open("index.safetensors").verify()
"""
    )
