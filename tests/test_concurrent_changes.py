"""Arrays that another thread writes to while a call reads them: whatever comes out, it is no crash."""

from __future__ import annotations

import pytest

# Changes an array over and over while a call that was handed it is made for half a second. A ValueError may come out.
PROGRAM = """
import threading, time
import numpy as np
import conse_fast as cf

rng = np.random.default_rng(0)
index = cf.ConseIndex.build(rng.normal(size=(1000, 20)).astype('f4'), rng.normal(size=(2000, 20)).astype('f4'))
p = rng.random((200, 1000)).astype('f4')
pairs = np.stack([rng.integers(0, 200, 20000), rng.integers(0, 2000, 20000)], 1)
ids = rng.integers(0, 2000, (200, 100))
changed, wild, call = {case}
right = changed.copy()
stop = False

def change():
    while not stop:
        changed[...] = wild
        changed[...] = right
        time.sleep(0.0002)

thread = threading.Thread(target=change, daemon=True)
thread.start()
end = time.monotonic() + 0.7
while time.monotonic() < end:
    try:
        call()
    except ValueError as error:
        assert str(error)
stop = True
thread.join()
print("alive")
"""


@pytest.mark.parametrize(
    "case",
    [
        "pairs, 10**10, lambda: index.score_of(p, pairs)",
        "ids, 10**10, lambda: index.explain(p, ids)",
        "ids, 10**10, lambda: index.nearest_classes(ids)",
        "ids, 10**10, lambda: index.rank(p, candidates=ids)",
        "p, 0, lambda: index.rank(p, 10, 10)",
        "p, 0, lambda: index.rank(p, 10, 100, n_threads=1)",
        "p, 0, lambda: index.rank(p, 10, 500)",
        "p, 0, lambda: index.explain(p, 3, top_t=100)",
        "p, 0, lambda: cf.top_k(p, 200)",
    ],
)
def test_a_call_whose_input_changes_does_not_crash(run_python, case):
    assert run_python(PROGRAM.replace("{case}", case)) == "alive\n"
