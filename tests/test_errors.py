"""The error table: a call, the exception's class, and what its message tells. Nothing may end the process.

Calls are text, evaluated with the names that `names` lists: so each case is one line, and its own test id.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import conse_fast as cf


def table(*cases):
    """Makes parametrize arguments of (call, exception, message) lines."""
    arguments = [pytest.param(*case, id=case[0]) for case in cases]
    return pytest.mark.parametrize(("call", "exception", "message"), arguments)


def put(array, position, value):
    """Returns a copy of the array with one element replaced."""
    array = array.copy()
    array[position] = value
    return array


def frozen(array):
    array.flags.writeable = False
    return array


def out(shape, scores="f4", indices="i8"):
    return np.zeros(shape, scores), np.zeros(shape, indices)


def both(change, arrays):
    return tuple(change(array) for array in arrays)


def classes_for(weights):
    """Returns the class ids 0, 1, 2, 3 in the shape of the weights."""
    return np.broadcast_to(np.arange(4), weights.shape)


class NotAnArray:
    """Something that NumPy can only make an object array of."""


@pytest.fixture
def names(tmp_path):
    """The names that calls use: 4 classes, 6 labels, 3 dimensions, so that messages can be told apart."""
    rng = np.random.default_rng(0)
    classes = rng.standard_normal((4, 3)).astype(np.float32)
    labels = rng.standard_normal((6, 3)).astype(np.float32)
    index = cf.ConseIndex.build(classes, labels)
    path = tmp_path / "labels.safetensors"
    index.save(path)

    def build(class_embeddings=classes, label_embeddings=labels, *arguments, **options):
        return cf.ConseIndex.build(class_embeddings, label_embeddings, *arguments, **options)

    def open_bytes(content):
        (tmp_path / "bad.safetensors").write_bytes(content)
        return cf.ConseIndex.open(tmp_path / "bad.safetensors")

    return {
        **{"np": np, "cf": cf, "pickle": pickle, "NAN": np.nan, "INF": np.inf, "NotAnArray": NotAnArray},
        **{"put": put, "frozen": frozen, "out": out, "both": both, "classes_for": classes_for},
        **{"build": build, "open_bytes": open_bytes},
        **{"classes": classes, "labels": labels, "index": index, "folder": tmp_path, "path": path},
        **{"p": rng.random((2, 4)).astype(np.float32), "open": cf.ConseIndex.open, "save": index.save},
    }


# What `f` stands for in the tables that several functions share; the first argument has 4 columns.
FUNCTIONS = {
    "rank": "lambda x, k=3, **options: index.rank(x, k, **options)",
    "rank_logits": "lambda x, k=3, **options: index.rank_logits(x, k, **options)",
    "rank_pairs": "lambda x, k=3, **options: index.rank_pairs(classes_for(x), x, k, **options)",
    "conse": "lambda x, k=3, **options: cf.conse(x, classes, labels, k, **options)",
    "cosine_rank": "lambda x, k=3, **options: cf.cosine_rank(x, np.ones((6, 4), 'f4'), k, **options)",
    "top_k": "lambda x, k=3, **options: cf.top_k(x, k, **options)",
    "convex_combination": "lambda x, **options: cf.convex_combination(x, classes, **options)",
    "embed": "lambda x, **options: index.embed(x, **options)",
}


@pytest.fixture
def check(names):
    def check(call, exception, message, function=None):
        f = {"f": eval(FUNCTIONS[function], names)} if function else {}
        with pytest.raises(exception, match="(?s)" + message):
            eval(call, names, f)
        # The index is none the worse for it.
        assert names["index"].rank(names["p"], 1).indices.shape == (2, 1)

    return check


# --------------------------------------------------------------------- arguments that several functions share

LABELLERS = ["rank", "rank_logits", "conse", "convex_combination", "embed"]
RANKERS = ["rank", "rank_logits", "rank_pairs", "conse", "cosine_rank", "top_k"]


@pytest.mark.filterwarnings("ignore:Creating an ndarray from ragged")  # NumPy before 1.24
@pytest.mark.parametrize("function", [*LABELLERS, "top_k"])
@table(
    ("f(np.zeros((2, 4), 'u1'))", TypeError, "uint8.*(quanti|255|scale)"),
    ("f(np.zeros((2, 4), 'i8'))", TypeError, "int64"),
    ("f(np.zeros((2, 4), bool))", TypeError, "bool"),
    ("f(np.zeros((2, 4), 'c8'))", TypeError, "complex64"),
    ("f(np.zeros((2, 4), np.longdouble))", TypeError, "float(96|128)|longdouble"),
    ("f(np.zeros((2, 4), object))", TypeError, "object"),
    ("f(np.array([['a'] * 4]))", TypeError, "U1|str"),
    ("f('probabilities')", TypeError, "float"),
    ("f(None)", TypeError, "float"),
    ("f(NotAnArray())", TypeError, "float"),
    ("f([[0.1, 0.2], [0.3]])", (TypeError, ValueError), ""),
    ("f(np.float32(1))", ValueError, r"\(\)|dimension"),
    ("f(np.zeros((2, 2, 4), 'f4'))", ValueError, r"\(2, 2, 4\)|dimension"),
    ("f(put(p, (1, 2), NAN))", ValueError, r"\[1\] holds NaN at column 2"),
    ("f(put(p.astype('f2'), (0, 2), NAN))", ValueError, r"\[0\] holds NaN at column 2"),
    ("f(put(p.astype('f8'), (0, 3), -NAN))", ValueError, r"\[0\] holds NaN at column 3"),
    ("f(put(p.astype('>f8'), (1, 0), NAN))", ValueError, r"\[1\] holds NaN at column 0"),
    ("f(put(p[0], 1, NAN))", ValueError, "holds NaN at column 1"),
)
def test_probabilities(check, function, call, exception, message):
    check(call, exception, message, function)


@pytest.mark.parametrize("function", LABELLERS)
@table(
    ("f(put(p, (1, 3), INF))", ValueError, r"\[1\] holds inf at column 3"),
    ("f(put(p, (0, 1), -INF))", ValueError, r"\[0\] holds -inf at column 1"),
    ("f(put(p.astype('f2'), (0, 1), INF))", ValueError, r"\[0\] holds inf at column 1"),
    ("f(np.zeros((2, 5), 'f4'))", ValueError, "5.*4.*background"),
    ("f(np.zeros((2, 3), 'f4'))", ValueError, "3.*4"),
    ("f(np.zeros(7, 'f4'))", ValueError, "7.*4"),
    ("f(np.zeros((0, 3), 'f4'))", ValueError, "3.*4"),
    ("f(np.zeros((2, 0), 'f4'))", ValueError, "0.*4"),
    ("f(None)", TypeError, "must be an array of float16, float32 or float64, got NoneType"),
    ("f({})", TypeError, "must be an array of float16, float32 or float64, got dict"),
    ("f(p, top_t=0)", ValueError, "top_t.*0"),
    ("f(p, top_t=-5)", ValueError, "top_t.*-5"),
    ("f(p, top_t=1.0)", TypeError, "top_t.*1.0"),
    ("f(p, top_t=False)", TypeError, "top_t.*False"),
    ("f(p, top_t='all')", TypeError, "top_t.*'all'"),
)
def test_labellers(check, function, call, exception, message):
    check(call, exception, message, function)


@pytest.mark.parametrize("function", ["rank", "rank_pairs", "conse", "convex_combination", "embed"])
@table(
    ("f(put(p, (1, 0), -0.125))", ValueError, r"\[1\] holds.*(negative|-0.125).*column 0"),
    ("f(put(p[1], 2, -1e-30))", ValueError, "holds.*(negative|-1e-30).*column 2"),
    ("f(put(p.astype('f2'), (1, 3), -6e-8))", ValueError, r"\[1\] holds.*(negative|-).*column 3"),
)
def test_negative_weights(check, function, call, exception, message):
    check(call, exception, message, function)


@pytest.mark.parametrize("function", RANKERS)
@table(
    ("f(p, k=0)", ValueError, r"\bk\b.*0"),
    ("f(p, k=2**62)", ValueError, "k is 4611686018427387904, which is more"),
    ("f(p, k=-1)", ValueError, r"\bk\b.*-1"),
    ("f(p, k=2.0)", TypeError, r"\bk\b.*2\.0"),
    ("f(p, k=True)", TypeError, r"\bk\b.*True"),
    ("f(p, k=np.True_)", TypeError, r"\bk\b.*True"),
    ("f(p, k=None)", TypeError, r"\bk\b.*None"),
    ("f(p, k='3')", TypeError, r"\bk\b.*'3'"),
    ("f(p, k=np.array([3]))", TypeError, r"\bk\b.*array"),
    ("f(p, n_threads=0)", ValueError, "n_threads.*0"),
    ("f(p, n_threads=-2)", ValueError, "n_threads.*-2"),
    ("f(p, n_threads=1.5)", TypeError, "n_threads.*1.5"),
    ("f(p, n_threads=True)", TypeError, "n_threads.*True"),
    ("f(p, n_threads='2')", TypeError, "n_threads.*'2'"),
    ("f(p, threads=2)", TypeError, "threads"),
    ("f(p, out=np.zeros((2, 3), 'f4'))", TypeError, "out.*ndarray"),
    ("f(p, out=out((2, 3))[:1])", (TypeError, ValueError), "out.*1"),
    ("f(p, out=out((2, 3)) * 2)", (TypeError, ValueError), "out.*4"),
    ("f(p, out=([[0.0] * 3] * 2, [[0] * 3] * 2))", TypeError, "out.*list"),
    ("f(p, out=out((2, 3), scores='f8'))", TypeError, "out.*float64"),
    ("f(p, out=out((2, 3), indices='i4'))", TypeError, "out.*int32"),
    ("f(p, out=out((2, 3), indices='>i8'))", TypeError, "out.*(>i8|endian|byte)"),
    ("f(p, out=out((2, 4)))", ValueError, r"out.*\(2, 4\)"),
    ("f(p, out=out((1, 3)))", ValueError, r"out.*\(1, 3\)"),
    ("f(p, out=out(3))", ValueError, r"out.*\(3,\)"),
    ("f(p[0], out=out((1, 3)))", ValueError, r"out.*\(1, 3\)"),
    ("f(p, out=both(frozen, out((2, 3))))", ValueError, "out.*(read-only|writ)"),
    ("f(p, out=both(np.asfortranarray, out((2, 3))))", ValueError, "out.*contiguous"),
    ("f(p, out=(np.zeros((2, 6), 'f4')[:, ::2], np.zeros((2, 3), 'i8')))", ValueError, "out.*contiguous"),
)
def test_rankers(check, function, call, exception, message):
    check(call, exception, message, function)


@pytest.mark.parametrize("k", ["2**31", "2**40", "2**62", "2**64"])
def test_a_k_beyond_all_memory(run_python, k):
    # With little memory to take, so that no machine is large enough for the results.
    run_python(f"""
import resource
import numpy as np
import conse_fast as cf
index = cf.ConseIndex.build(np.eye(4), np.eye(4))
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for call in (index.rank, index.rank_logits, cf.top_k):
    try:
        call(np.ones((2, 4)), {k})
    except (ValueError, MemoryError):
        continue
    raise AssertionError("allocated")
""")


# ------------------------------------------------------------------------------------------------ by function


@table(
    ("cf.top_k(p)", TypeError, "k"),
    (
        "cf.top_k(p.astype('f8'), 3, out=out((2, 3)))",
        TypeError,
        "out.*float32.*float64|out.*float64.*float32",
    ),
    (
        "cf.top_k(p.astype('f2'), 3, out=out((2, 3)))",
        TypeError,
        "out.*float32.*float16|out.*float16.*float32",
    ),
    ("cf.top_k(p, 3, 2)", TypeError, "positional"),
)
def test_top_k(check, call, exception, message):
    check(call, exception, message)


@pytest.mark.parametrize("function", ["convex_combination", "embed"])
@table(
    ("f(p, out=np.zeros((2, 4), 'f4'))", ValueError, r"out.*\(2, 4\)"),
    ("f(p, out=np.zeros((2, 3)))", TypeError, "out.*float64"),
    ("f(p, out=(np.zeros((2, 3), 'f4'),))", TypeError, "out.*tuple"),
    ("f(p, out=frozen(np.zeros((2, 3), 'f4')))", ValueError, "out.*(read-only|writ)"),
    ("f(p, out=np.zeros((3, 2), 'f4').T)", ValueError, "out.*contiguous"),
    ("f(p, n_threads=0)", ValueError, "n_threads.*0"),
)
def test_combinations(check, function, call, exception, message):
    check(call, exception, message, function)


@pytest.mark.parametrize("function", ["convex_combination", "conse"])
@table(
    ("f(p, classes[0])", ValueError, r"class_embeddings.*\(3,\)"),
    ("f(np.zeros((2, 0), 'f4'), np.zeros((0, 3), 'f4'))", ValueError, "class_embeddings has no rows; expected one"),
    ("f(np.zeros((0, 0), 'f4'), np.zeros((0, 3), 'f4'))", ValueError, "class_embeddings has no rows; expected one"),
    ("f(p, np.ones((4, 3), int))", TypeError, "class_embeddings.*int64"),
    ("f(p, put(classes, (2, 1), NAN))", ValueError, r"class_embeddings\[2\] holds NaN at column 1"),
    ("f(p, put(classes, (2, 1), INF))", ValueError, r"class_embeddings\[2\] holds inf at column 1"),
)
def test_class_embeddings(names, function, call, exception, message):
    def convex_combination(x, class_embeddings, **options):
        return cf.convex_combination(x, class_embeddings, **options)

    def conse(x, class_embeddings, **options):
        return cf.conse(x, class_embeddings, names["labels"], **options)

    with pytest.raises(exception, match="(?s)" + message):
        eval(call, names, {"f": {"convex_combination": convex_combination, "conse": conse}[function]})


@table(
    ("cf.conse(p, classes, labels[:, :2])", ValueError, "label_embeddings.*2.*3"),
    ("cf.conse(p, classes, labels[0])", ValueError, r"label_embeddings.*\(3,\)"),
    ("cf.conse(p, classes, np.ones((6, 3), int))", TypeError, "label_embeddings.*int64"),
    ("cf.conse(p, classes, labels.astype('f8'))", TypeError, "label_embeddings.*float64.*astype"),
    ("cf.conse(p, classes, np.asfortranarray(labels))", ValueError, "label_embeddings.*contiguous"),
    ("cf.conse(p, classes, put(labels, (5, 2), NAN))", ValueError, r"label_embeddings\[5\] holds NaN"),
    ("cf.conse(p, classes, put(labels, (5, 2), INF))", ValueError, r"label_embeddings\[5\] holds inf"),
)
def test_conse(check, call, exception, message):
    check(call, exception, message)


@table(
    ("index.rank_logits(p, temperature=0)", ValueError, "temperature.*0"),
    ("index.rank_logits(p, temperature=-1.5)", ValueError, "temperature.*-1.5"),
    ("index.rank_logits(p, temperature=NAN)", ValueError, "temperature.*nan"),
    ("index.rank_logits(p, temperature=INF)", ValueError, "temperature.*inf"),
    ("index.rank_logits(p, temperature='1')", TypeError, "temperature.*'1'"),
    ("index.rank_logits(p, temperature='hot')", TypeError, "temperature.*'hot'"),
    ("index.rank_logits(p, temperature=1j)", TypeError, "temperature.*1j"),
    ("index.rank_logits(p, temperature=None)", TypeError, "temperature.*None"),
    ("index.rank_logits(p, temperature=np.ones(2))", TypeError, "temperature.*array"),
    ("index.rank_logits(put(p, (1, 2), NAN))", ValueError, r"logits\[1\] holds NaN"),
)
def test_rank_logits(check, call, exception, message):
    check(call, exception, message)


@table(
    ("index.rank_pairs([[0, 1], [3, 3]], p[:, :2])", ValueError, r"indices\[1\].*3"),
    ("index.rank_pairs([[0, 1], [4, 1]], p[:, :2])", ValueError, r"indices\[1\].*4"),
    ("index.rank_pairs([[0, -1], [3, 1]], p[:, :2])", ValueError, r"indices\[0\].*-1"),
    ("index.rank_pairs([[2**40, 1], [3, 1]], p[:, :2])", ValueError, r"indices\[0\].*1099511627776"),
    ("index.rank_pairs([[2**32, 1], [3, 1]], p[:, :2])", ValueError, r"indices\[0\].*4294967296"),
    (
        "index.rank_pairs(np.array([[2**63, 1]], 'u8'), p[:1, :2])",
        ValueError,
        r"indices.*9223372036854775808",
    ),
    ("index.rank_pairs(np.zeros((2, 2)), p[:, :2])", TypeError, "indices.*float64"),
    ("index.rank_pairs(np.zeros((2, 2), bool), p[:, :2])", TypeError, "indices.*bool"),
    ("index.rank_pairs(None, p)", TypeError, "indices.*(None|object)"),
    ("index.rank_pairs([[0, 1], [3, 1]], p[:, :3])", ValueError, r"\(2, 2\).*\(2, 3\)|\(2, 3\).*\(2, 2\)"),
    ("index.rank_pairs([[0, 1]], p[:, :2])", ValueError, r"\(1, 2\).*\(2, 2\)|\(2, 2\).*\(1, 2\)"),
    ("index.rank_pairs([0, 1], p[:, :2])", ValueError, r"\(2,\).*\(2, 2\)|\(2, 2\).*\(2,\)"),
    ("index.rank_pairs(np.zeros((1, 1, 1), int), np.ones((1, 1, 1)))", ValueError, r"\(1, 1, 1\)|dimension"),
    (
        "index.rank_pairs([range(4)] * 2, put(p, (1, 2), NAN))",
        ValueError,
        r"weights\[1\] holds NaN at column 2",
    ),
    (
        "index.rank_pairs([range(4)] * 2, put(p, (1, 2), INF))",
        ValueError,
        r"weights\[1\] holds inf at column 2",
    ),
    ("index.rank_pairs([range(4)] * 2, put(p, (1, 2), -1))", ValueError, r"weights\[1\].*column 2"),
    ("index.rank_pairs([0, 1], np.array([1, 1]))", TypeError, "weights.*int64"),
)
def test_rank_pairs(check, call, exception, message):
    check(call, exception, message)


@table(
    ("cf.cosine_rank(classes, labels.astype('f8'))", TypeError, "label_matrix.*float64.*astype"),
    ("cf.cosine_rank(classes, labels.astype('>f4'))", TypeError, "label_matrix.*(>f4|endian|byte).*astype"),
    ("cf.cosine_rank(classes, np.ones((6, 3), 'i4'))", TypeError, "label_matrix.*int32"),
    ("cf.cosine_rank(classes, labels.tolist())", TypeError, "label_matrix"),
    ("cf.cosine_rank(classes, np.asfortranarray(labels))", ValueError, "label_matrix.*contiguous"),
    ("cf.cosine_rank(classes, labels[:, ::-1])", ValueError, "label_matrix.*contiguous"),
    ("cf.cosine_rank(classes, labels[0])", ValueError, r"label_matrix.*\(3,\)"),
    ("cf.cosine_rank(classes, np.ones((6, 5), 'f4'))", ValueError, "label_matrix.*5.*3"),
    ("cf.cosine_rank(classes.astype(int), labels)", TypeError, "queries.*int64"),
    ("cf.cosine_rank(classes[None], labels)", ValueError, r"queries.*\(1, 4, 3\)"),
    ("cf.cosine_rank(put(classes, (3, 1), NAN), labels)", ValueError, r"queries\[3\] holds NaN at column 1"),
    ("cf.cosine_rank(put(classes, (3, 1), INF), labels)", ValueError, r"queries\[3\] holds inf at column 1"),
    (
        "cf.cosine_rank(classes, put(labels, (4, 0), NAN))",
        ValueError,
        r"label_matrix\[4\] holds NaN at column 0",
    ),
    (
        "cf.cosine_rank(classes, put(labels, (4, 0), -INF))",
        ValueError,
        r"label_matrix\[4\] holds -?inf at column 0",
    ),
    (
        "cf.cosine_rank(classes, labels, label_lengths=np.ones(5))",
        ValueError,
        "label_lengths.*5.*6|label_lengths.*6.*5",
    ),
    (
        "cf.cosine_rank(classes, labels, query_lengths=np.ones(5))",
        ValueError,
        "query_lengths.*5.*4|query_lengths.*4.*5",
    ),
    (
        "cf.cosine_rank(classes, labels, label_lengths=put(np.ones(6), 2, -1))",
        ValueError,
        r"label_lengths\[2\].*-1",
    ),
    (
        "cf.cosine_rank(classes, labels, query_lengths=put(np.ones(4), 1, NAN))",
        ValueError,
        r"query_lengths\[1\].*nan",
    ),
    (
        "cf.cosine_rank(classes, labels, label_lengths=np.ones((6, 1)))",
        ValueError,
        r"label_lengths.*\(6, 1\)",
    ),
    ("cf.cosine_rank(classes, labels, label_lengths=np.ones(6, int))", TypeError, "label_lengths.*int64"),
)
def test_cosine_rank(check, call, exception, message):
    check(call, exception, message)


# ------------------------------------------------------------------------------------------------------ build


@table(
    ("build(classes, labels[:, :2])", ValueError, "label_embeddings.*2.*3"),
    ("build(classes[0])", ValueError, r"class_embeddings.*\(3,\)"),
    ("build(classes, labels[None])", ValueError, r"label_embeddings.*\(1, 6, 3\)"),
    ("build(classes[:0])", ValueError, "class_embeddings.*one"),
    ("build(compact='false')", TypeError, "compact must be True or False, got 'false'"),
    ("build(normalize_classes=1)", TypeError, "normalize_classes must be True or False, got 1"),
    ("build(label_names={str(i) for i in range(6)})", TypeError, "label_names must be a sequence of str, got set"),
    ("build(label_names=(str(i) for i in range(6)))", TypeError, "label_names must be a .*, got generator; make it"),
    ("build(classes, labels[:0])", ValueError, "label_embeddings.*one"),
    ("build(classes[:, :0], labels[:, :0])", ValueError, "class_embeddings.*one"),
    ("build(classes, np.ones((6, 3), int))", TypeError, "label_embeddings.*int64"),
    ("build([['a'] * 3] * 4)", TypeError, "class_embeddings"),
    ("build(put(classes, (3, 0), NAN))", ValueError, r"class_embeddings\[3\] holds NaN at column 0"),
    ("build(classes, put(labels, (5, 2), INF))", ValueError, r"label_embeddings\[5\] holds inf at column 2"),
    ("build(label_names=['x'] * 5)", ValueError, "5.*6|6.*5"),
    ("build(label_names=['x'] * 7)", ValueError, "7.*6|6.*7"),
    ("build(label_ids=['x'] * 7)", ValueError, "7.*6|6.*7"),
    ("build(class_names=['x'] * 3)", ValueError, "class_names.*3.*4"),
    ("build(class_ids=['x'] * 5)", ValueError, "class_ids.*5.*4"),
    ("build(label_names=['x'] * 6, label_ids=['x'] * 5)", ValueError, "label_ids.*5.*6"),
    ("build(label_names='abcdef')", TypeError, "label_names.*sequence"),
    ("build(label_names=[b'x'] * 6)", TypeError, r"label_names\[0\].*b'x'"),
    ("build(label_ids=['x'] * 5 + [7])", TypeError, r"label_ids\[5\].*7"),
    ("build(label_names=['x', None] * 3)", TypeError, r"label_names\[1\].*None"),
    ("build(label_names=['x'] * 5 + ['\\ud800'])", ValueError, r"label_names\[5\].*(surrogate|UTF-8)"),
    ("build(label_names=7)", TypeError, "label_names.*int"),
    ("build(row_label=[0] * 5)", ValueError, "row_label.*6.*5"),
    ("build(row_label=[0, 1, 2, -1, 3, 4])", ValueError, r"row_label\[3\] is -1; .* from 0 to 2147483646"),
    ("build(row_label=[0, 1, 2, 3, 4, 2], label_names=['x'] * 4)", ValueError, r"row_label\[4\] is 4"),
    ("build(row_label=[0, 1, 2, 3, 4, 2**60])", ValueError, r"row_label\[5\] is 1152921504606846976"),
    ("build(row_label=np.zeros(6))", TypeError, "row_label.*float64"),
    ("build(row_label=np.zeros((6, 1), int))", ValueError, r"row_label.*\(6, 1\)"),
    ("build(label_class=[-1] * 7)", ValueError, "7.*6|6.*7"),
    ("build(label_class=[-1, 0, 1, 2, 3, 4])", ValueError, r"label_class\[5\] is 4"),
    ("build(label_class=[-2, 0, 1, 2, 3, 3])", ValueError, r"label_class\[0\] is -2"),
    ("build(label_class=np.zeros(6))", TypeError, "label_class.*float64"),
    ("build(n_threads=0)", ValueError, "n_threads.*0"),
    ("build(progress=3)", TypeError, "progress.*int"),
    ("build(path=3)", TypeError, "path|int"),
    ("build(path=folder / 'no' / 'index')", FileNotFoundError, "no/index"),
    ("build(path=folder)", IsADirectoryError, "irectory"),
    ("build(classes, labels, ['x'] * 4)", TypeError, "positional"),
    ("cf.ConseIndex()", TypeError, r"ConseIndex\.(build|open)"),
)
def test_build(check, names, call, exception, message):
    before = sorted(entry.name for entry in names["folder"].iterdir())
    check(call, exception, message)
    assert sorted(entry.name for entry in names["folder"].iterdir()) == before


# ------------------------------------------------------------------------------------------------------ files


@table(
    ("open(folder / 'missing.safetensors')", FileNotFoundError, "missing.safetensors"),
    ("open(folder)", IsADirectoryError, "irectory"),
    ("open(path / 'index')", NotADirectoryError, "labels.safetensors/index"),
    ("open('a\\0b')", ValueError, "null|NUL"),
    ("open(3)", TypeError, "path|int"),
    ("open(None)", TypeError, "path|None"),
    ("open(path, 3)", TypeError, "positional"),
    ("open_bytes(b'')", ValueError, "bad.safetensors.*empty"),
    ("open_bytes(b'hi')", ValueError, "bad.safetensors"),
    ("open_bytes(b'some text and no index\\n' * 1000)", ValueError, "bad.safetensors"),
    ("open_bytes(b'\\x93NUMPY\\x01\\x00v\\x00' + b' ' * 200)", ValueError, "bad.safetensors"),
    ("open('/dev/null')", (OSError, ValueError), "/dev/null"),
    ("pickle.loads(pickle.dumps(open(path)).replace(b'labels.', b'others.'))", FileNotFoundError, "others"),
    ("save(folder / 'no' / 'index')", FileNotFoundError, "no/index"),
    ("save(folder)", IsADirectoryError, "irectory"),
    ("save(3)", TypeError, "path|int"),
    ("save('a\\0b')", ValueError, "null|NUL"),
)
def test_files(check, names, call, exception, message):
    check(call, exception, message)
    assert {entry.name for entry in names["folder"].iterdir()} <= {"labels.safetensors", "bad.safetensors"}


def test_os_errors_carry_errno_and_file_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        cf.ConseIndex.open(tmp_path / "missing.safetensors")
    assert caught.value.errno == 2
    assert str(caught.value.filename) == str(tmp_path / "missing.safetensors")


@table(
    ("index.rank(p)", ValueError, "the index is closed"),
    ("index.rank_logits(p)", ValueError, "the index is closed"),
    ("index.rank_pairs([0, 1], p[0, :2])", ValueError, "the index is closed"),
    ("index.embed(p)", ValueError, "the index is closed"),
    ("index.save(path)", ValueError, "the index is closed"),
    ("index.verify()", ValueError, "the index is closed"),
    ("index.label_class", ValueError, "the index is closed"),
    ("index.label_names", ValueError, "the index is closed"),
    ("index.__enter__()", ValueError, "the index is closed"),
)
def test_a_closed_index(names, call, exception, message):
    names["index"].close()
    with pytest.raises(exception, match=message):
        eval(call, names)


# -------------------------------------------------------------------------------------------------- all of it


@pytest.mark.parametrize("name", ["avx2", "x86-64-v9", "GENERIC", "generic ", "native"])
def test_an_unknown_target(names, monkeypatch, name):
    monkeypatch.setenv("CONSE_FAST_TARGET", name)
    for call in ("cf.target()", "index.rank(p)", "index.rank(p[:0])", "cf.top_k(p, 1)", "build()"):
        with pytest.raises(ValueError, match="CONSE_FAST_TARGET") as caught:
            eval(call, names)
        assert name in str(caught.value)
        for valid in cf.targets():
            assert valid in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        "index.rank(np.zeros((2, 4), 'u1'))",
        "index.rank(put(p, (1, 2), NAN))",
        "index.rank(p[:, :2])",
        "cf.cosine_rank(classes, labels.astype('f8'))",
        "open(folder / 'missing')",
        "open_bytes(b'some text and no index')",
    ],
)
def test_messages_are_one_short_line(names, call):
    with pytest.raises((TypeError, ValueError, OSError)) as caught:
        eval(call, names)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300
