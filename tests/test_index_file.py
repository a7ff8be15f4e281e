"""The index file: the reference library reads it, and damage to it ends in one clear error, never a crash."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import reference
import safetensors
import safetensors.numpy
from reference import random_problem

import conse_fast as cf

N_CLASSES, N_LABELS, N_ROWS, DIMENSION, LANES = 12, 40, 80, 10, 16
HEADER = slice(8, None)


@pytest.fixture(scope="module")
def problem():
    return random_problem(3, n=4, n_classes=N_CLASSES, n_labels=N_ROWS, dimension=DIMENSION)


@pytest.fixture(scope="module", params=["full", "compact"])
def whole(request, problem, tmp_path_factory):
    """The bytes of a small index with everything in it: names, ids, several rows per label, seen labels."""
    path = tmp_path_factory.mktemp("whole") / "whole.safetensors"
    cf.ConseIndex.build(
        *problem[1:],
        row_label=np.arange(N_ROWS) // 2,
        label_class=[*range(N_CLASSES), *[-1] * (N_LABELS - N_CLASSES)],
        class_names=[f"class {i}" for i in range(N_CLASSES)],
        label_names=[f"label {i} ü" for i in range(N_LABELS)],
        label_ids=[f"n{i:08}" for i in range(N_LABELS)],
        compact=request.param == "compact",
        path=path,
    )
    return path.read_bytes()


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """The bytes of an index with what the small one lacks: twins, nearest blocks, products of classes, a second level,
    label sets, classes that give their places away."""
    one = random_problem(3, n=4, n_classes=N_CLASSES, n_labels=900, dimension=160)
    labels = np.concatenate([one.label_embeddings, one.label_embeddings[::3]])
    classes = one.class_embeddings.copy()
    classes[5] = 0
    path = tmp_path_factory.mktemp("rich") / "rich.safetensors"
    sets = {"a third": np.arange(0, 1200, 3), "few": [1, 5]}
    cf.ConseIndex.build(
        classes,
        labels,
        label_class=[*range(N_CLASSES), *[-1] * (len(labels) - N_CLASSES)],
        label_names=[f"label {i}" for i in range(len(labels))],
        label_sets=sets,
        missing_classes="refill",
        path=path,
    )
    return path.read_bytes()


def content_of(index, path):
    """Returns the bytes of the file that the index is saved to."""
    index.save(path)
    return path.read_bytes()


def header_of(content):
    """Returns the header as a dict and the place where the data begins."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), end


def with_header(content, header):
    """Returns the file with another header, a dict or JSON text, padded so that the data stays aligned."""
    text = header if isinstance(header, str) else json.dumps(header, separators=(",", ":"))
    text = text.encode()
    text += b" " * (-(8 + len(text)) % 4096)
    return len(text).to_bytes(8, "little") + text + content[header_of(content)[1] :]


def without_tensors(content, *names):
    """Returns the file with these tensors renamed to pads, so that the offsets still leave no hole."""
    pads = {name: f"pad.{99 - i}" for i, name in enumerate(names)}
    return with_header(content, {pads.get(key, key): value for key, value in header_of(content)[0].items()})


def tensor_of(content, name):
    """Returns (array, place of its first byte); the array is a copy."""
    header, begin = header_of(content)
    fact = header[name]
    dtypes = {"F32": "<f4", "F64": "<f8", "I16": "<i2", "U16": "<u2", "I32": "<i4", "I64": "<i8", "U8": "u1"}
    first, last = (begin + offset for offset in fact["data_offsets"])
    return np.frombuffer(content[first:last], dtypes[fact["dtype"]]).reshape(fact["shape"]).copy(), first


def with_tensor(content, name, array):
    """Returns the file with other values in one tensor, and a checksum that fits them."""
    _, first = tensor_of(content, name)
    data = array.tobytes()
    return reference.seal(content[:first] + data + content[first + len(data) :])


def refused(fact=""):
    return pytest.raises(ValueError, match=rf"(?s)damaged\.safetensors.*{fact}")


@pytest.fixture
def open_bytes(tmp_path):
    """Writes a new file (never over one that may be mapped) and opens it."""
    path = tmp_path / "damaged.safetensors"

    def open_bytes(content):
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        return cf.ConseIndex.open(path)

    return open_bytes


@pytest.fixture
def survives(open_bytes, problem):
    """Whatever the damage: an error that names the file, or an index that ranks its own labels.

    `verify` finds it, unless it may make an index that is as good.
    """

    def survives(content, harmless=False):
        try:
            index = open_bytes(content)
        except ValueError as error:
            if "damaged.safetensors" not in str(error):
                raise
            return
        use(index, problem)
        if harmless:
            return
        with refused():
            index.verify()

    return survives


def use(index, problem):
    """Calls what reads the contents; only a ValueError may come out of it."""
    rows = problem.probabilities
    some = [0, index.n_labels // 2, index.n_labels - 1]
    for call in (
        lambda: index.rank(rows, 50),
        lambda: index.rank(rows, 3, None),
        lambda: index.rank(rows[0], 10),
        lambda: index.rank(rows, 10, seen_penalty=0.1, exclude=some),
        lambda: index.rank(rows, 10, candidates=some),
        lambda: index.rank(rows, 10, candidates=np.arange(index.n_labels) % 2 == 0),
        lambda: index.rank_pairs([0, 1], np.ones(2)),
    ):
        try:
            _, indices = call()
        except ValueError:  # another number of classes, for instance
            continue
        assert indices.min() >= -1
        assert indices.max() < index.n_labels
    for call in (
        lambda: index.explain(rows, some),
        lambda: index.score_of(rows, [[0, some[-1]]]),
        lambda: index.nearest_classes(some),
        lambda: [list(labels) for labels in index.label_sets.values()],
    ):
        try:
            call()
        except ValueError:
            continue
    for names in (index.class_names, index.label_names, index.class_ids, index.label_ids):
        for position in range(0, len(names or ()), max(1, len(names or ()) // 50)):
            try:
                names[position]
            except ValueError:
                continue
    index.info(), repr(index), index.label_class.sum()


# ------------------------------------------------------------------------------------ what a whole file holds


def test_the_whole_file_is_whole(open_bytes, whole, problem):
    index = open_bytes(whole)
    index.verify()
    use(index, problem)


def test_the_reference_library_reads_the_same_tensors(open_bytes, whole):
    index = open_bytes(whole)
    tensors = safetensors.numpy.load_file(index.path)
    for name in header_of(whole)[0]:
        if name != "__metadata__":
            assert np.array_equal(tensors[name], tensor_of(whole, name)[0])
    with safetensors.safe_open(index.path, framework="numpy") as file:
        metadata = file.metadata()
    assert metadata["format_version"] == str(index.info()["format_version"])
    assert metadata["producer"] == index.info()["producer"]
    assert all(isinstance(value, str) for value in metadata.values())


def test_the_tensors_hold_what_was_built(whole, problem):
    row_label, _ = tensor_of(whole, "row_label")
    filled = row_label.ravel() >= 0
    assert np.array_equal(np.sort(row_label.ravel()[filled]), np.arange(N_ROWS) // 2)

    label_class, _ = tensor_of(whole, "label_class")
    assert label_class.tolist() == [*range(N_CLASSES), *[-1] * (N_LABELS - N_CLASSES)]
    for block in row_label:
        assert len({label_class[label] >= 0 for label in block[block >= 0]}) == 1, "a block mixes seen and unseen"

    # Label rows lie transposed in their blocks: (blocks, dimension, 16). The order of the rows is free.
    blocks, _ = tensor_of(whole, "label_embeddings")
    assert blocks.shape == (len(row_label), DIMENSION, LANES)
    stored = blocks.transpose(0, 2, 1).reshape(-1, DIMENSION)[filled]
    assert np.isfinite(blocks).all(), "padding must hold finite values"
    expected = reference.unit_rows(problem.label_embeddings)
    nearest = (stored.astype(np.float64) @ expected.T).argmax(axis=1)
    assert np.array_equal(np.sort(nearest), np.arange(N_ROWS))
    np.testing.assert_allclose(stored, expected[nearest], rtol=0, atol=1e-7)
    assert np.array_equal(nearest // 2, row_label.ravel()[filled])

    classes, _ = tensor_of(whole, "class_embeddings")
    np.testing.assert_allclose(classes, reference.unit_rows(problem.class_embeddings), rtol=0, atol=1e-7)


def test_the_table_and_its_maxima(whole, problem):
    labels, _ = tensor_of(whole, "label_embeddings")
    classes = reference.unit_rows(problem.class_embeddings)
    table = np.einsum("cd,bdl->cbl", classes, labels.astype(np.float64))  # (classes, blocks, 16)
    n_blocks, slack = table.shape[1], 2e-7
    if "table" in header_of(whole)[0]:  # the compact form leaves it out, and has the maxima all the same
        stored, _ = tensor_of(whole, "table")
        assert stored.shape[1] == n_blocks | 1
        np.testing.assert_allclose(stored[:, :n_blocks], table, rtol=0, atol=slack)
        table, slack = stored, 0
    maxima, _ = tensor_of(whole, "maxima.1")  # (classes, tiles of 32 blocks, 32)
    assert maxima.dtype == np.int16
    step = 2.0 ** int(header_of(whole)[0]["__metadata__"]["maxima_exponent"])
    assert step == 2.0**-14, "the least power of two whose 32,767-fold is not below 1"
    filled = tensor_of(whole, "row_label")[0] >= 0
    for block in range(n_blocks):
        largest = table[:, block, filled[block]].max(axis=1)
        above = maxima[:, block // 32, block % 32] * step
        assert (above >= largest - slack).all()
        assert (above < largest + step + slack).all()


def test_names_are_text_and_offsets(whole):
    text, _ = tensor_of(whole, "label_names")
    offsets, _ = tensor_of(whole, "label_names.offsets")
    assert text.dtype == np.uint8
    assert offsets.dtype == np.int64
    names = [bytes(text[a:b]).decode() for a, b in zip(offsets[:-1], offsets[1:])]
    assert names == [f"label {i} ü" for i in range(N_LABELS)]
    header, _ = header_of(whole)
    assert not any(name in header for name in ("class_ids", "class_ids.offsets"))


def test_tensors_are_aligned_for_mapping(whole):
    header, begin = header_of(whole)
    assert begin % 4096 == 0
    for name, fact in header.items():
        if name != "__metadata__" and not name.startswith("pad."):
            assert fact["data_offsets"][0] % 64 == 0, name


def test_the_checksum_is_the_named_algorithm(open_bytes, whole):
    # An implementation from the algorithm's description, in reference.py, arrives at the same digits.
    assert reference.seal(whole) == whole
    assert header_of(whole)[0]["__metadata__"]["checksum.xxh64"] in open_bytes(whole).info()["checksum"]


def test_the_same_input_gives_the_same_file(tmp_path, problem):
    for name in ("one", "two"):
        cf.ConseIndex.build(*problem[1:], path=tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


# ------------------------------------------------------------------------------------------------- truncation


def test_a_truncated_file_is_refused(open_bytes, whole):
    header, begin = header_of(whole)
    edges = [begin + fact["data_offsets"][1] for name, fact in header.items() if name != "__metadata__"]
    lengths = {*range(40), *range(0, len(whole), 997), len(whole) - 1}
    lengths.update(length + change for length in (begin, *edges) for change in (-1, 0, 1))
    for length in sorted(lengths):
        if length < len(whole):
            with refused():
                open_bytes(whole[:length])


@pytest.mark.parametrize("more", [1, 64, 4096])
def test_bytes_after_the_last_tensor_are_refused(open_bytes, whole, more):
    with refused():
        open_bytes(whole + bytes(more))


# ----------------------------------------------------------------------------------------------- header bytes


@pytest.mark.parametrize("flip", [0x01, 0x10, 0x80])
def test_every_flipped_header_byte(survives, whole, flip):
    text_end = whole.rindex(b"}", 0, header_of(whole)[1]) + 1
    for place in [*range(text_end + 3), header_of(whole)[1] - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= flip
        survives(bytes(damaged))


@pytest.mark.parametrize("flip", [0x01, 0x10])
def test_flipped_header_bytes_of_a_rich_file(survives, rich, flip):
    for place in range(0, rich.rindex(b"}", 0, header_of(rich)[1]), 17):
        damaged = bytearray(rich)
        damaged[place] ^= flip
        survives(bytes(damaged))


@pytest.mark.parametrize(
    "length",
    [0, 1, 7, "shorter", "longer", "file", 2**24 + 1, 100_000_001, 2**31, 2**63 - 1, 2**63, 2**64 - 1],
)
def test_a_wrong_header_length_is_refused(open_bytes, whole, length):
    right = header_of(whole)[1] - 8
    length = {"shorter": right - 1, "longer": right + 1, "file": len(whole)}.get(length, length)
    with refused():
        open_bytes(length.to_bytes(8, "little") + whole[HEADER])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        '"text"',
        "{" * 4000,
        "[" * 4000,
        '{"a":' * 4000,
        '{"__metadata__":{}}',
        '{"__metadata__":null}',
        '{"__metadata__":{"format":"conse_fast.index"}}',
        '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},}',
        '{"a":{"dtype":"U8","shape":[1e1],"data_offsets":[0,10]}}',
        '{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}',
        '{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}',
        '{"a\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        '{"a\x00":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
        '{"a\\',
        '{"a',
        "{} trailing",
    ],
)
def test_a_header_that_is_no_header_is_refused(open_bytes, whole, text):
    with refused():
        open_bytes(with_header(whole, text))


def test_the_same_key_twice_is_refused(open_bytes, whole):
    header, begin = header_of(whole)
    text = whole[8:begin].decode().rstrip()
    again = json.dumps({"label_class": header["label_class"]})[1:]
    with refused("label_class"):
        open_bytes(with_header(whole, text[:-1] + "," + again))


# -------------------------------------------------------------------------------------------- header contents


def changed_header(whole, name, **facts):
    header, _ = header_of(whole)
    header[name] = {**header[name], **facts}
    return with_header(whole, header)


OFFSETS = {
    "descending": lambda a, b: [b, a],
    "outside": lambda a, b: [a + 2**20, b + 2**20],
    "far outside": lambda a, b: [a + 2**63, b + 2**63],
    "beyond 64 bits": lambda a, b: [a + 2**64, b + 2**64],
    "overlap": lambda a, b: [a - 4, b - 4],
    "hole": lambda a, b: [a + 4, b + 4],
    "too long": lambda a, b: [a, b + 4],
    "too short": lambda a, b: [a, b - 4],
    "empty": lambda a, b: [a, a],
    "negative": lambda a, b: [-4, b],
    "fractions": lambda a, b: [a + 0.5, b + 0.5],
    "text": lambda a, b: [str(a), str(b)],
    "one": lambda a, b: [a],
    "three": lambda a, b: [a, b, b],
    "none": lambda a, b: None,
}


@pytest.mark.parametrize("change", OFFSETS)
@pytest.mark.parametrize("name", ["label_embeddings", "class_embeddings", "row_label", "label_names.offsets"])
def test_wrong_offsets_are_refused(open_bytes, whole, name, change):
    offsets = OFFSETS[change](*header_of(whole)[0][name]["data_offsets"])
    with refused():
        open_bytes(changed_header(whole, name, data_offsets=offsets))


SHAPES = {
    "product of 2^64": lambda shape: [2**32, 2**32],
    "product just over 2^64": lambda shape: [*shape, 2**62],
    "huge length": lambda shape: [2**64 - 1],
    "beyond 64 bits": lambda shape: [2**64],
    "zero times huge": lambda shape: [0, 2**63, 2**63],
    "transposed": lambda shape: [shape[0] + 1, *shape[1:]],
    "one more dimension": lambda shape: [*shape, 1],
    "no dimension": lambda shape: [],
    "negative": lambda shape: [-length for length in shape],
    "fractions": lambda shape: [length + 0.5 for length in shape],
    "none": lambda shape: None,
}


@pytest.mark.parametrize("change", SHAPES)
@pytest.mark.parametrize("name", ["label_embeddings", "class_embeddings", "label_class", "label_ids.offsets"])
def test_wrong_shapes_are_refused(open_bytes, whole, name, change):
    shape = SHAPES[change](header_of(whole)[0][name]["shape"])
    with refused():
        open_bytes(changed_header(whole, name, shape=shape))


@pytest.mark.parametrize("name", ["label_embeddings", "class_embeddings", "row_label", "label_class"])
@pytest.mark.parametrize("dtype", ["I64", "F64", "F16", "U32", "X99", "", None, 4])
def test_wrong_dtypes_are_refused(open_bytes, whole, name, dtype):
    with refused():
        open_bytes(changed_header(whole, name, dtype=dtype))


def test_the_right_size_with_the_wrong_dtype_is_refused(open_bytes, whole):
    with refused("label_class.*U32.*I32"):
        open_bytes(changed_header(whole, "label_class", dtype="U32"))


@pytest.mark.parametrize("name", ["label_embeddings", "class_embeddings", "row_label", "label_class", "maxima.1"])
def test_a_missing_tensor_is_refused(open_bytes, whole, name):
    with refused(name):
        open_bytes(without_tensors(whole, name))


def test_shapes_that_do_not_fit_each_other_are_refused(open_bytes, whole):
    # 12 x 10 class embeddings told as 10 x 12: the same bytes, another number of classes.
    with refused():
        open_bytes(changed_header(whole, "class_embeddings", shape=[DIMENSION, N_CLASSES]))


@pytest.mark.parametrize("version", ["0", "1", "999", "", "one"])
def test_another_format_version_is_refused_and_says_how_to_rebuild(open_bytes, whole, version):
    header, _ = header_of(whole)
    header["__metadata__"]["format_version"] = version
    with refused(f"version {version}.*build"):
        open_bytes(with_header(whole, header))


def test_metadata_that_is_missing_or_no_text_is_refused(open_bytes, whole):
    for key in ("format", "format_version", "checksum.xxh64"):
        for value in (None, 1, {"a": "b"}, ["1"]):
            header, _ = header_of(whole)
            header["__metadata__"][key] = value
            with refused():
                open_bytes(with_header(whole, header))
        header, _ = header_of(whole)
        del header["__metadata__"][key]
        with refused():
            open_bytes(with_header(whole, header))


def test_another_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file({"weight": np.ones((3, 4), np.float32)}, path)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        cf.ConseIndex.open(path)


# ------------------------------------------------------------------------------------------- damaged contents


def test_a_flipped_data_byte_fails_verify(open_bytes, whole):
    header, begin = header_of(whole)
    for name, fact in header.items():
        if name == "__metadata__" or fact["data_offsets"][0] == fact["data_offsets"][1]:
            continue
        for place in (begin + fact["data_offsets"][0], begin + fact["data_offsets"][1] - 1):
            damaged = bytearray(whole)
            damaged[place] ^= 0x40
            with refused("checksum"):
                open_bytes(bytes(damaged)).verify()


WILD_IDS = [-(2**31), -2, N_LABELS, N_LABELS + 1, 2**24, 2**31 - 1]


@pytest.mark.parametrize("name", ["row_label", "label_class"])
@pytest.mark.parametrize("value", WILD_IDS)
def test_wild_ids_do_no_harm_and_fail_verify(survives, whole, name, value):
    ids, _ = tensor_of(whole, name)
    one = ids.copy()
    one.ravel()[1] = value
    survives(with_tensor(whole, name, one))
    survives(with_tensor(whole, name, np.full_like(ids, value)))


RICH_TENSORS = {
    np.int16: ("maxima.2", "nearest_maxima"),
    np.uint16: ("twin_lanes",),
    np.int32: ("next_twin", "nearest_blocks", "row_label", "label_class", "label_sets"),
    np.int64: ("label_sets.offsets", "label_set_names.offsets"),
    np.float32: ("class_products", "table"),
}


@pytest.mark.parametrize(("dtype", "name"), [(dtype, name) for dtype, names in RICH_TENSORS.items() for name in names])
def test_wild_numbers_in_a_rich_file_do_no_harm(survives, rich, dtype, name):
    numbers, _ = tensor_of(rich, name)
    # Padding, bounds that are too high, labels that belong to no class, a set with other members.
    harmless = name in ("maxima.2", "table", "label_class", "label_sets")
    if dtype == np.float32:
        wild = [np.nan, np.inf, -np.inf]
    else:
        wild = [np.iinfo(dtype).min, -1, 76, 1200, np.iinfo(dtype).max]
    for value in np.array(wild).astype(dtype):
        for place in (0, 1, numbers.size // 2, numbers.size - 1):
            one = numbers.copy()
            one.ravel()[place] = value
            if (one != numbers).any():
                survives(with_tensor(rich, name, one), harmless)
        survives(with_tensor(rich, name, np.full_like(numbers, value)), harmless)


@pytest.mark.parametrize("value", [-(2**63), -1, 10**6, 2**63 - 1])
@pytest.mark.parametrize("name", ["label_names.offsets", "class_names.offsets", "label_ids.offsets"])
def test_wild_name_offsets_do_no_harm_and_fail_verify(survives, whole, name, value):
    offsets, _ = tensor_of(whole, name)
    for place in (0, 1, len(offsets) - 1):
        damaged = offsets.copy()
        damaged[place] = value
        survives(with_tensor(whole, name, damaged))
    survives(with_tensor(whole, name, offsets[::-1].copy()))


def test_names_that_are_no_utf8_do_no_harm(open_bytes, whole):
    text, _ = tensor_of(whole, "label_names")
    text[3] = 0xFF
    index = open_bytes(with_tensor(whole, "label_names", text))
    assert index.label_names[0] == "lab\ufffdl 0 \u00fc"


FLOAT_TENSORS = {"table", "label_embeddings", "class_embeddings", "class_lengths"}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_do_no_harm_and_fail_verify(survives, whole, value):
    for name in FLOAT_TENSORS.intersection(header_of(whole)[0]):
        values, _ = tensor_of(whole, name)
        one = values.copy()
        one.ravel()[0] = value
        survives(with_tensor(whole, name, one))
        survives(with_tensor(whole, name, np.full_like(values, value)))


def test_maxima_that_are_too_low_fail_verify(open_bytes, whole):
    # The one damage that would make search skip what matters: the checksum fits, the bound does not.
    maxima, _ = tensor_of(whole, "maxima.1")
    maxima[3, 0, 0] -= 200
    with refused("maxim"):
        open_bytes(with_tensor(whole, "maxima.1", maxima)).verify()


# ------------------------------------------------------------------------------------------------------- save


def test_save_leaves_nothing_else_behind(tmp_path, problem):
    index = cf.ConseIndex.build(*problem[1:])
    for _ in range(3):
        index.save(tmp_path / "index.safetensors")
        assert [entry.name for entry in tmp_path.iterdir()] == ["index.safetensors"]


def test_a_failed_save_leaves_the_old_file_and_nothing_else(run_python, tmp_path):
    # A limit on the size of files stands for the full disk.
    run_python("""
import os, resource, signal
import numpy as np
import conse_fast as cf

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
small = cf.ConseIndex.build(np.eye(4), np.eye(4))
small.save("index.safetensors")
with open("index.safetensors", "rb") as file:
    before = file.read()
vectors = np.random.default_rng(0).standard_normal((4000, 64))
large = cf.ConseIndex.build(vectors[:50], vectors)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for call in (
    lambda: large.save("index.safetensors"),
    lambda: cf.ConseIndex.build(vectors[:50], vectors, path="index.safetensors"),
):
    try:
        call()
    except OSError as error:
        assert "index.safetensors" in str(error), error
    else:
        raise AssertionError("saved beyond the limit")
    assert os.listdir() == ["index.safetensors"]
    with open("index.safetensors", "rb") as file:
        assert file.read() == before
""")
    assert [entry.name for entry in tmp_path.iterdir()] == ["index.safetensors"]


def test_a_named_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises((OSError, ValueError), match="pipe"):
        cf.ConseIndex.open(tmp_path / "pipe")


def test_a_bound_that_is_not_a_number_ends_the_search(run_python, tmp_path):
    """Lengths so short that weights leave float32: infinity times zero in a lane must not be waited for."""
    problem = random_problem(n_labels=1100)
    path = tmp_path / "index.safetensors"
    cf.ConseIndex.build(problem.class_embeddings, problem.label_embeddings, path=path).close()
    whole = path.read_bytes()
    for name, value in {"maxima.1": 0, "class_embeddings": 1e-41, "class_lengths": 1e-40}.items():
        damaged, _ = tensor_of(whole, name)
        damaged[:] = value
        whole = with_tensor(whole, name, damaged)
    whole = whole.replace(b'"normalize_classes":"true"', b'"normalize_classes":"false"', 1)
    path.write_bytes(whole.replace(b"  ", b" ", 1))  # one character more, one of the padding less
    run_python(
        """
import os, sys
import numpy as np
import conse_fast as cf
with cf.ConseIndex.open(sys.argv[1]) as index:
    for target in cf.targets():
        os.environ["CONSE_FAST_TARGET"] = target
        index.rank(np.random.default_rng(0).random((5, index.n_classes)))
""",
        path,
    )


def test_verify_finds_rows_behind_padding_and_wrong_lengths(open_bytes, whole):
    labels, _ = tensor_of(whole, "row_label")
    labels[0, 5] = -1
    with refused("behind its padding"):
        open_bytes(with_metadata_of_one_row_less(with_tensor(whole, "row_label", labels))).verify()
    embeddings, _ = tensor_of(whole, "label_embeddings")
    with refused("length"):
        open_bytes(with_tensor(whole, "label_embeddings", 2 * embeddings)).verify()
    lengths, _ = tensor_of(whole, "class_lengths")
    with refused("class 0 has length"):
        open_bytes(with_tensor(whole, "class_lengths", 9 + lengths)).verify()


@pytest.mark.parametrize("whole", ["full"], indirect=True)
def test_verify_finds_a_table_that_is_no_product(open_bytes, whole):
    table, _ = tensor_of(whole, "table")
    table[0, 3, 0] -= 0.01
    with refused("table says"):
        open_bytes(with_tensor(whole, "table", table)).verify()


def with_metadata_of_one_row_less(content):
    """Returns the file with n_rows lowered by one, so that only the order of rows is wrong."""
    n_rows = int(header_of(content)[0]["__metadata__"]["n_rows"])
    old, new = f'"n_rows":"{n_rows}"'.encode(), f'"n_rows":"{n_rows - 1}"'.encode()
    assert len(old) == len(new)
    return reference.seal(content.replace(old, new, 1))
