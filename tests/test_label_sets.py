"""Named sets of labels: kept in the file, prepared once, combined; on the command line too."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from reference import assert_same_bits, random_problem, seal

import conse_fast as cf

N_CLASSES, N_LABELS = 60, 500
IDS = [f"n{i:08}" for i in range(N_LABELS)]
NAMES = [f"label {i % 450}" for i in range(N_LABELS)]
LABEL_CLASS = np.where(np.arange(N_LABELS) < 40, np.arange(N_LABELS), -1)
SETS = {
    "every third": np.arange(N_LABELS) % 3 == 0,
    "ids": [7, 3, 499, 3],
    "id strings": ("n00000100", "label 449"),
    "Überschrift": np.array([0, 41], np.uint8),
}
MEMBERS = {
    "every third": list(range(0, N_LABELS, 3)),
    "ids": [3, 7, 499],
    "id strings": [100, 449],
    "Überschrift": [0, 41],
}


@pytest.fixture(scope="module")
def problem():
    return random_problem(n=12, n_classes=N_CLASSES, n_labels=N_LABELS, dimension=20, sharpness=3)


@pytest.fixture(scope="module")
def index(problem):
    return cf.ConseIndex.build(*problem[1:], label_ids=IDS, label_names=NAMES, label_class=LABEL_CLASS, label_sets=SETS)


@pytest.fixture
def path(index, tmp_path):
    index.save(tmp_path / "index.safetensors")
    return tmp_path / "index.safetensors"


def test_sets_are_kept_in_the_file(index, path):
    with cf.ConseIndex.open(path) as opened:
        opened.verify()
        for one in (index, opened, pickle.loads(pickle.dumps(index))):
            assert list(one.label_sets) == list(SETS)
            assert {name: list(labels) for name, labels in one.label_sets.items()} == MEMBERS
            assert one.info()["label_sets"] == {name: len(labels) for name, labels in MEMBERS.items()}
            assert one.info()["n_seen_labels"] == 40
        assert opened.label_sets["ids"] is opened.label_sets["ids"]


def test_a_set_is_candidates(index, problem):
    for name, members in MEMBERS.items():
        expected = index.rank(problem.probabilities, 5, candidates=members)
        assert_same_bits(index.rank(problem.probabilities, 5, candidates=name), expected)
        assert_same_bits(index.rank(problem.probabilities, 5, candidates=index.label_sets[name]), expected)
    assert list(index.candidates("ids", exclude="every third")) == [7, 499]
    assert "candidates lie in" in index.plan(n_images=1, candidates=range(0, N_LABELS, 16)).reason
    assert index.plan(n_images=10_000, candidates="ids").reason.startswith("candidates as an index of their own: ")
    assert "candidates" not in index.plan().reason


def test_sets_are_combined(index):
    third, ids = index.label_sets["every third"], index.label_sets["ids"]
    assert list(third | ids) == sorted({*third, *ids})
    assert list(third & ids) == [3]
    assert list(ids - third) == [7, 499]
    assert set(third - index.seen_labels) == {label for label in third if label >= 40}
    assert len(index.seen_labels | index.unseen_labels) == N_LABELS
    assert 3 in third
    assert 4 not in third
    assert N_LABELS not in third
    assert "3" not in third
    with pytest.raises(TypeError):
        third | {3}


def test_sets_do_not_pickle(index):
    with pytest.raises(TypeError, match="pickle their ids"):
        pickle.dumps(index.seen_labels)
    with pytest.raises(TypeError, match="pickle the index, or the ids"):
        pickle.dumps(index.label_sets)
    assert 0 in index.seen_labels
    assert True not in index.seen_labels
    assert list(index.candidates(pickle.loads(pickle.dumps(index.seen_labels.ids)))) == list(index.seen_labels)


def test_sets_of_two_indexes_are_not_combined(index, problem):
    other = cf.ConseIndex.build(*problem[1:])
    with pytest.raises(ValueError, match="two indexes"):
        index.seen_labels | other.unseen_labels


def test_an_index_without_sets(problem):
    index = cf.ConseIndex.build(*problem[1:], label_sets={})
    assert len(index.label_sets) == 0
    assert repr(index.label_sets) == "<label sets: none>"
    assert index.info()["label_sets"] == {}
    assert index._handle.to_bytes() == cf.ConseIndex.build(*problem[1:])._handle.to_bytes()
    with pytest.raises(KeyError):
        index.label_sets["ids"]


def test_a_name_of_a_set_and_of_a_label(problem):
    index = cf.ConseIndex.build(*problem[1:], label_names=NAMES, label_sets={"label 449": [1]})
    with pytest.raises(ValueError, match="'label 449' is the name of a label set and of a label"):
        index.rank(problem.probabilities, candidates="label 449")
    assert list(index.candidates(["label 449"])) == [449]


def test_a_closed_index_has_no_sets(index, path):
    opened = cf.ConseIndex.open(path)
    kept = opened.label_sets["ids"]
    opened.close()
    assert list(kept) == MEMBERS["ids"]
    with pytest.raises(ValueError, match="closed"):
        opened.label_sets  # noqa: B018


@pytest.mark.parametrize(
    ("sets", "error", "message"),
    [
        ([("a", [1])], TypeError, "label_sets must map names to labels, got list"),
        ({"a": []}, ValueError, "'a' holds no label"),
        ({"a": np.zeros(N_LABELS, bool)}, ValueError, "'a' holds no label"),
        ({"a": [N_LABELS]}, ValueError, "'a' holds 500; expected label ids from 0 to 499"),
        ({"a": [-1]}, ValueError, "'a' holds -1"),
        ({"": [1]}, ValueError, "set 0 has an empty name"),
        ({3: [1]}, TypeError, "must be a str, got 3"),
        ({"a": ["nobody"]}, ValueError, r"label_sets\['a'\]: no label has the id or the name 'nobody'"),
        ({"a": ["label 3"]}, ValueError, "2 labels have the name 'label 3'"),
        ({"a": np.zeros(3, bool)}, ValueError, r"shape \(500,\), one bool per label, got \(3,\)"),
        ({"a": [[1]]}, ValueError, "one dimension"),
        ({"a": [0.5]}, TypeError, "must hold integers"),
    ],
)
def test_wrong_sets(problem, sets, error, message):
    with pytest.raises(error, match=message):
        cf.ConseIndex.build(*problem[1:], label_names=NAMES, label_sets=sets)


# ------------------------------------------------------------------------------------------------ damaged files


def tensor_of(path, name):
    """Where a tensor's bytes lie in the file."""
    import json

    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    begin, end = json.loads(content[8 : 8 + size])[name]["data_offsets"]
    return 8 + size + begin, 8 + size + end


@pytest.mark.parametrize(
    ("tensor", "dtype", "place", "value", "message"),
    [
        ("label_sets", np.int32, 0, 500, "label_sets.0. is 500"),
        ("label_sets", np.int32, 1, -5, "label_sets.1. is -5"),
        ("label_sets", np.int32, 1, 0, "label_sets.1. is 0 behind 0"),
        ("label_sets.offsets", np.int64, 1, -1, "label_sets.offsets"),
        ("label_sets.offsets", np.int64, 4, 10**12, "label_sets.offsets"),
        ("label_sets.offsets", np.int64, 0, 1, "label_sets.offsets"),
        ("label_set_names.offsets", np.int64, 1, 10**12, "label_set_names.offsets"),
        ("label_set_names.offsets", np.int64, 1, 14, "label_set_names.1. is empty or given twice"),
    ],
)
def test_damage_is_found_and_harms_nobody(path, tensor, dtype, place, value, message):
    content = bytearray(path.read_bytes())
    begin, end = tensor_of(path, tensor)
    numbers = np.frombuffer(content[begin:end], dtype).copy()
    numbers[place] = value
    content[begin:end] = numbers.tobytes()
    path.write_bytes(seal(bytes(content)))
    with pytest.raises(ValueError, match=f"index.safetensors.*{message}"):
        cf.ConseIndex.open(path).verify()
    if "offsets" in tensor:
        return
    index = cf.ConseIndex.open(path)
    for read in (lambda: [list(labels) for labels in index.label_sets.values()], lambda: index.info()):
        try:
            read()
        except ValueError as error:
            assert "index" in str(error) or "label set" in str(error)  # noqa: PT017 - either may happen
