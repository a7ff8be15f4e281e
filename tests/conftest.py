"""Fixtures that several test files share: targets by name, indexes in memory or mapped, the real data."""

from __future__ import annotations

import importlib
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]
REAL_DATA = REPOSITORY.parent / "shared" / "data"

# Function-scoped fixtures are safe: `target` is the same for all examples, `make_index` numbers its files.
settings.register_profile(
    "dev", deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


# A process that a script started in the background ignores SIGINT, one under nohup SIGHUP, and so would all that tests
# start to interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_generate_tests(metafunc):
    # conse_fast is imported where it is used: the oracle's own tests run without it.
    if "target" in metafunc.fixturenames:
        import conse_fast

        metafunc.parametrize("target", conse_fast.targets(), indirect=True)


@pytest.fixture
def target(request, monkeypatch):
    """Runs the test once on each set of kernels that this CPU supports."""
    monkeypatch.setenv("CONSE_FAST_TARGET", request.param)
    return request.param


@pytest.fixture
def make_index(tmp_path):
    """Builds an index in one of its two forms; `mapped` saves it and opens the file."""
    from conse_fast import ConseIndex

    number = itertools.count()

    def make(class_embeddings, label_embeddings, *, form="full", mapped=False, **options):
        index = ConseIndex.build(class_embeddings, label_embeddings, compact=form == "compact", **options)
        if not mapped:
            return index
        path = tmp_path / f"index-{next(number)}.safetensors"
        index.save(path)
        return ConseIndex.open(path)

    return make


@pytest.fixture
def run_python(tmp_path):
    """Runs code in a fresh interpreter, in an empty folder; returns what it prints, fails when it fails."""

    def run(code, *arguments, timeout=60, **environment):
        result = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert result.returncode == 0, f"exit status {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    return run


@pytest.fixture(scope="session")
def independent():
    """Imports a library whose answers are compared with ours; where it is missing, the test is skipped."""

    def load(module):
        try:
            return importlib.import_module(module)
        except ImportError:
            message = f"{module} is not installed: the extra [test] has it"
            if os.environ.get("CONSE_FAST_REQUIRE_TOOLS") == "1":
                pytest.fail(message)
            pytest.skip(message)

    return load


class Real(NamedTuple):
    """Real data: embeddings of ImageNet synsets, and what a classifier said about photos."""

    class_embeddings: np.ndarray  # (1000, 300) float16, the seen classes
    label_embeddings: np.ndarray  # (20842, 300) float16, the unseen labels
    class_names: list
    label_names: list
    photos: np.ndarray  # (250, 1000) float32 softmax rows of photos of unseen labels
    truth: np.ndarray  # (250,) their label ids
    animals: np.ndarray  # (1399, 1000) as `photos`, animals of unseen labels
    animal_truth: np.ndarray  # (1399,)


@pytest.fixture(scope="session")
def real():
    folder = REAL_DATA / "imagenet"
    if not folder.is_dir():
        pytest.skip("the real data is not there: ../shared/data/imagenet")

    def table(name):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()[1:]
        return [line.split("\t") for line in lines]

    synsets = table("labels_21842.tsv")
    row_of = {wnid: row for row, (wnid, _) in enumerate(synsets)}
    names = [lemmas for _, lemmas in synsets]
    # Stored column by column; label matrices are read where they lie, row by row.
    embeddings = np.ascontiguousarray(np.load(folder / "wordnet_svd300_float16.npy"))

    def unseen_photos(name):
        photos = table(f"photos_{name}.tsv")
        unseen = [row for row, (_, _, seen) in enumerate(photos) if seen == "0"]
        truth = np.array([row_of[photos[row][1]] - 1000 for row in unseen])
        return np.load(folder / f"softmax_{name}_float32.npy")[unseen], truth

    photos, truth = unseen_photos("imagen")
    animals, animal_truth = unseen_photos("animals")
    return Real(embeddings[:1000], embeddings[1000:], names[:1000], names[1000:], photos, truth, animals, animal_truth)
