"""Readers of word vectors: every format, the real files, broken files, and what a plain reader says."""

from __future__ import annotations

import gzip
import io
import sys
import tracemalloc

import numpy as np
import pytest
from conftest import REAL_DATA
from hypothesis import given
from hypothesis import strategies as st

import conse_fast as cf
from conse_fast.word_vectors import FORMATS

WORDS = ["the", "horse", "polar_bear", "na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve", "400000", "a,b"]
VECTORS = np.arange(18, dtype=np.float32).reshape(6, 3) / 7 - 1

# ---------------------------------------------------------------------------------------- writers of the formats


def glove(words, vectors, *, end="\n"):
    lines = (" ".join([word, *(repr(float(x)) for x in row)]) + end for word, row in zip(words, vectors))
    return "".join(lines).encode()


def header(words, vectors):
    return f"{len(words)} {vectors.shape[1]}\n".encode()


def word2vec_text(words, vectors):
    return header(words, vectors) + glove(words, vectors)


def fasttext(words, vectors):
    return header(words, vectors) + glove(words, vectors, end=" \n")


def word2vec_binary(words, vectors, *, end=b"\n"):
    rows = (word.encode() + b" " + row.astype("<f4").tobytes() + end for word, row in zip(words, vectors))
    return header(words, vectors) + b"".join(rows)


def word2vec_binary_without_ends(words, vectors):
    return word2vec_binary(words, vectors, end=b"")


def crlf(words, vectors):
    return glove(words, vectors, end="\r\n")


STREAMS = [glove, crlf, word2vec_text, fasttext, word2vec_binary, word2vec_binary_without_ends]


def write_arrays(folder, words, vectors):
    """The formats that are arrays, as {name: path}; safetensors where its package is there."""
    np.save(folder / "vectors.npy", vectors)
    (folder / "vectors.txt").write_bytes("".join(f"{word}\n" for word in words).encode())
    paths = {"npy": folder / "vectors.npy"}
    try:
        from safetensors.numpy import save_file
    except ModuleNotFoundError:
        return paths
    texts = [word.encode() for word in words]
    stored = {
        "words": np.frombuffer(b"".join(texts), np.uint8),
        "words.offsets": np.cumsum([0, *map(len, texts)]),
    }
    save_file({"embeddings": vectors}, folder / "vectors.safetensors")
    save_file({"embeddings": vectors, **stored}, folder / "stored.safetensors")
    return {**paths, "listed": folder / "vectors.safetensors", "stored": folder / "stored.safetensors"}


def assert_holds(found, words, vectors):
    assert found.words == tuple(words)
    assert found.vectors.dtype == np.float32
    np.testing.assert_array_equal(found.vectors, vectors)


@pytest.fixture
def write(tmp_path):
    def write(content, name="vectors.vec"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


# ---------------------------------------------------------------------------------------------------- formats


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize("form", STREAMS, ids=lambda form: form.__name__)
def test_formats_are_told_by_what_they_hold(write, form, packed):
    content = form(WORDS, VECTORS)
    path = write(gzip.compress(content) if packed else content)
    found = cf.read_word_vectors(path)
    assert_holds(found, WORDS, VECTORS)
    assert (found.n_read, found.n_repeated, found.n_skipped, found.problems) == (6, 0, 0, ())
    assert found.source == str(path)
    some = cf.read_word_vectors(path, ["a,b", "unknown", "the", "The"])
    assert_holds(some, ["the", "a,b"], VECTORS[[0, 5]])
    assert some.n_read == 6


def test_formats_that_are_arrays(tmp_path):
    for name, path in write_arrays(tmp_path, WORDS, VECTORS).items():
        assert_holds(cf.read_word_vectors(path), WORDS, VECTORS)
        assert_holds(cf.read_word_vectors(path, ["horse", "none"]), ["horse"], VECTORS[[1]])
        if name != "stored":
            other = tmp_path / "other.txt"
            other.write_text("\n".join("uvwxyz"))  # no end of line at the end
            assert_holds(cf.read_word_vectors(path, word_list=other), "uvwxyz", VECTORS)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ">f4"])
def test_arrays_of_other_floats(tmp_path, dtype):
    path = write_arrays(tmp_path, WORDS, VECTORS.astype(dtype))["npy"]
    assert_holds(cf.read_word_vectors(path), WORDS, VECTORS.astype(dtype).astype(np.float32))


def test_a_tensor_by_its_name(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy", reason="the safetensors package is missing")
    path = tmp_path / "two.safetensors"
    numpy.save_file({"a": VECTORS, "b": -VECTORS}, path)
    (tmp_path / "two.txt").write_text("\n".join(WORDS), encoding="utf-8")
    assert_holds(cf.read_word_vectors(f"{path}:b"), WORDS, -VECTORS)
    with pytest.raises(ValueError, match=r"several tensors; name one as .*two\.safetensors:NAME, from: a, b"):
        cf.read_word_vectors(path)


def test_safetensors_without_its_package(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        cf.read_word_vectors(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_that_is_asked_for(write, tmp_path, name):
    forms = {"glove": glove, "word2vec-text": word2vec_text, "fasttext": fasttext, "word2vec-binary": word2vec_binary}
    if name in forms:
        path = write(forms[name](WORDS, VECTORS))
    else:
        paths = write_arrays(tmp_path, WORDS, VECTORS)
        path = paths["npy"] if name == "npy" else paths.get("listed")
        if path is None:
            pytest.skip("the safetensors package is missing")
    assert_holds(cf.read_word_vectors(path, format=name), WORDS, VECTORS)


def test_a_format_that_it_has_not(write):
    with pytest.raises(ValueError, match="line 1 is no header"):
        cf.read_word_vectors(write(glove(WORDS, VECTORS)), format="fasttext")
    with pytest.raises(ValueError, match="line 1 is no header"):
        cf.read_word_vectors(write(glove(WORDS, VECTORS)), format="word2vec-binary")
    with pytest.raises(ValueError, match=r"vectors\.vec is no \.npy file"):
        cf.read_word_vectors(write(glove(WORDS, VECTORS)), format="npy")
    with pytest.raises(ValueError, match=r"format must be one of glove, .*got 'csv'"):
        cf.read_word_vectors(write(glove(WORDS, VECTORS)), format="csv")
    with pytest.raises(ValueError, match="word_list goes with arrays"):
        cf.read_word_vectors(write(glove(WORDS, VECTORS)), word_list="words.txt")


# ------------------------------------------------------------------------------------------------ header lines


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 2\na 3 4\n", "a"),
        ("5 2\n7 3\n", "57"),  # one dimension, and two words that are numbers
        ("2 1\na 3\nb 4\n", "ab"),
        ("9 8 7\na 1 2\n", "9a"),
    ],
)
def test_a_header_is_told_from_a_word(write, content, words):
    assert "".join(cf.read_word_vectors(write(content.encode())).words) == words


def test_a_word_that_looks_like_a_header_when_it_is_asked_for(write):
    found = cf.read_word_vectors(write(b"1 1\na 3\n"), format="glove")
    assert_holds(found, ["1", "a"], np.array([[1], [3]]))


# ------------------------------------------------------------------------------------------------ strange words


def test_words_with_spaces_have_the_last_numbers(write):
    # As in GloVe 840B, where ". . ." and "at name@domain.com" are words; the first line may be one.
    content = b". . . 1 2 3\nthe 4 5 6\nat name@domain.com 7 8 9\n of 0 1 2\nand 3 4 5\n"
    found = cf.read_word_vectors(write(content))
    assert_holds(
        found,
        [". . .", "the", "at name@domain.com", " of", "and"],
        np.array([1, 2, 3, *range(4, 10), *range(6)]).reshape(5, 3),
    )
    assert_holds(cf.read_word_vectors(write(content), [". . ."]), [". . ."], np.array([[1, 2, 3]]))


@pytest.mark.parametrize("form", [glove, fasttext, word2vec_binary])
def test_words_that_are_no_utf8_disturb_nobody(write, form):
    marked = form(["the", "@@@@", "and"], VECTORS[:3]).replace(b"@@@@", b"\xff\xc3\x85\x0b")
    found = cf.read_word_vectors(write(marked))
    assert found.words == ("the", "\ufffd\N{LATIN CAPITAL LETTER A WITH RING ABOVE}\x0b", "and")
    assert cf.read_word_vectors(write(marked), ["and", "x"]).words == ("and",)


def test_spaces_that_are_no_space_belong_to_words(write):
    words = ["a\N{NO-BREAK SPACE}b", "c\N{NEXT LINE}d", "e\N{LINE SEPARATOR}f", "g\x1ch"]
    assert_holds(cf.read_word_vectors(write(glove(words, VECTORS))), words, VECTORS[:4])


@pytest.mark.parametrize("form", [glove, fasttext, word2vec_binary])
def test_of_repeated_words_the_first_counts(write, form):
    found = cf.read_word_vectors(write(form(["a", "b", "a", "a"], VECTORS)))
    assert_holds(found, "ab", VECTORS[:2])
    assert (found.n_read, found.n_repeated) == (4, 2)


def test_blank_lines_and_a_missing_end_of_line(write):
    assert_holds(cf.read_word_vectors(write(b"a 1 2\n\nb 3 4\n \n")), "ab", np.array([[1, 2], [3, 4]]))
    assert_holds(cf.read_word_vectors(write(b"2 2\na 1 2 \nb 3 4")), "ab", np.array([[1, 2], [3, 4]]))


# ------------------------------------------------------------------------------------------------ broken files

GOOD = b"the 1 2 3\nof 4 5 6\nhorse 7 8 9\n"


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"cat 1 2\n", r"line 3 \('cat'\) has 2 numbers; expected 3"),
        (b"cat 1 2 3 4\n", r"line 3 \('cat'\) has 4 numbers; expected 3"),
        (b"cat\n", r"line 3 \('cat'\) has 0 numbers; expected 3"),
        (b"cat 1 x 3\n", r"line 3 \('cat'\) holds 'x'; expected 3 numbers"),
        (b"cat  1 2\n", r"line 3 \('cat'\) holds ''; expected 3 numbers"),
        (b"cat 1 nan 3\n", r"line 3 \('cat'\) holds NaN, infinity or a number beyond float32"),
        (b"cat 1 -inf 3\n", r"line 3 \('cat'\) holds NaN, infinity or a number beyond float32"),
        (b"cat 1 1e39 3\n", r"line 3 \('cat'\) holds NaN, infinity or a number beyond float32"),
    ],
)
def test_bad_lines(write, bad, problem):
    content = GOOD.replace(b"horse", bad + b"horse")
    with pytest.raises(ValueError, match=rf'vectors\.vec: {problem}.*; on_bad_line="skip" reads the rest'):
        cf.read_word_vectors(write(content))
    found = cf.read_word_vectors(write(content), on_bad_line="skip")
    assert found.words == ("the", "of", "horse")
    assert found.n_skipped == 1
    assert len(found.problems) == 1
    assert problem.split(" ")[0] in found.problems[0]


def test_numbers_are_parsed_on_wanted_lines_only_and_fields_counted_on_all(write):
    assert cf.read_word_vectors(write(GOOD + b"cat 1 x 3\n"), ["of"]).words == ("of",)
    with pytest.raises(ValueError, match=r"line 4 .* has 2 numbers"):
        cf.read_word_vectors(write(GOOD + b"cat 1 2\n"), ["of"])


def test_only_the_first_problems_are_kept(write):
    found = cf.read_word_vectors(write(GOOD * 20 + b"bad\n" * 40), on_bad_line="skip")
    assert found.n_skipped == 40
    assert len(found.problems) == 5
    assert found.problems[0].startswith("line 61 ('bad') has 0 numbers")


def test_a_text_that_is_cut_off(write):
    with pytest.raises(ValueError, match=r"line 3 \('horse'\) has 2 numbers; expected 3 \(the file ends in the middle"):
        cf.read_word_vectors(write(GOOD[:-3]))
    with pytest.raises(ValueError, match=r"line 1 says 4 words, but the file holds 3; is it cut off\?"):
        cf.read_word_vectors(write(b"4 3\n" + GOOD))
    assert cf.read_word_vectors(write(b"4 3\n" + GOOD), on_bad_line="skip").n_skipped == 1


def test_a_header_that_lies(write):
    with pytest.raises(ValueError, match=r"line 1 says 2 words, but the file holds 3; is it two files in one\?"):
        cf.read_word_vectors(write(b"2 3\n" + GOOD))
    with pytest.raises(ValueError, match="line 1 says 300 dimensions, but its lines hold 3 numbers; correct"):
        cf.read_word_vectors(write(b"3 300\n" + GOOD), on_bad_line="skip")


BINARY = word2vec_binary(WORDS, VECTORS)


@pytest.mark.parametrize("end", range(len(b"6 3\n"), len(BINARY) - 1))
def test_a_binary_file_that_is_cut_off_anywhere(write, end):
    for content in (BINARY[:end], gzip.compress(BINARY[:end])):
        with pytest.raises(ValueError, match=r"vectors\.vec.*(whole|no word vectors|line 1 says)"):
            cf.read_word_vectors(write(content))


def test_a_binary_file_without_its_last_line_end(write):
    assert_holds(cf.read_word_vectors(write(BINARY[:-1])), WORDS, VECTORS)


def test_a_binary_header_that_lies(write):
    body = BINARY.partition(b"\n")[2]
    with pytest.raises(ValueError, match=r"goes on at byte \d+, after the 5 words that line 1 promises"):
        cf.read_word_vectors(write(b"5 3\n" + body))
    assert len(cf.read_word_vectors(write(b"5 3\n" + body), on_bad_line="skip")) == 5
    with pytest.raises(ValueError, match=r": \d+ bytes; 7,000 words of 3 numbers, which line 1 promises, need at"):
        cf.read_word_vectors(write(b"7000 3\n" + body))
    with pytest.raises(ValueError, match=r"(is no word|goes on at|ends at)"):
        cf.read_word_vectors(write(b"6 2\n" + body))
    with pytest.raises(ValueError, match="no word ends within 10,000 bytes of byte 5"):
        cf.read_word_vectors(write(b"9 30\n" + b"\1" * 20_000), format="word2vec-binary")


def test_a_binary_file_with_a_vector_that_is_not_finite(write):
    vectors = VECTORS.copy()
    vectors[1, 2] = np.nan
    path = write(word2vec_binary(WORDS, vectors))
    with pytest.raises(ValueError, match=r"byte 27 \('horse'\) holds NaN"):
        cf.read_word_vectors(path)
    assert cf.read_word_vectors(path, ["the"]).words == ("the",)
    assert_holds(cf.read_word_vectors(path, on_bad_line="skip"), [WORDS[0], *WORDS[2:]], VECTORS[[0, 2, 3, 4, 5]])


@pytest.mark.parametrize("form", [glove, word2vec_binary])
def test_gzip_that_is_cut_off_or_damaged(write, form):
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(2000)]
    packed = gzip.compress(form(words, rng.standard_normal((2000, 3)).astype(np.float32)))
    with pytest.raises(ValueError, match=r"vectors\.vec is cut off: its gzip data ends too early"):
        cf.read_word_vectors(write(packed[:-100]))
    damaged = bytearray(packed)
    damaged[len(packed) // 2 : len(packed) // 2 + 50] = bytes(50)
    with pytest.raises(ValueError, match=r"vectors.vec: (its gzip data is damaged|line|byte|ends|goes)"):
        cf.read_word_vectors(write(bytes(damaged)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds no word vectors"),
        (b"\n\n", "holds no word vectors"),
        (b"word\n", "holds no word vectors"),
        (b"0 0\n", "no word vectors|header"),
        (b"PK\x03\x04...", "is a zip archive; unpack it first"),
        (b"BZh9...", "is packed with bzip2"),
        (b"\xfd7zXZ\0...", "is packed with xz"),
        (b"\x28\xb5\x2f\xfd...", "is packed with zstd"),
        (b"\xba\x16\x4f\x2f\x0c\0\0\0", "is a fastText model; use its vectors, the .vec file"),
        (b"\x80\x04\x95\0", "is a Python pickle, which is never opened"),
        (b"\1\0\2\0 \0 1 2", "is no file of word vectors"),
    ],
)
def test_other_files(write, content, problem):
    with pytest.raises(ValueError, match=rf"vectors\.vec:? .*({problem})"):
        cf.read_word_vectors(write(content))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        cf.read_word_vectors(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        cf.read_word_vectors(tmp_path)
    with pytest.raises(ValueError, match="/dev/null is no regular file"):
        cf.read_word_vectors("/dev/null")


def test_broken_arrays(tmp_path):
    def read(array, words=WORDS, **options):
        write_arrays(tmp_path, words, array)
        return cf.read_word_vectors(tmp_path / "vectors.npy", **options)

    with pytest.raises(ValueError, match="6 rows, but 5 words in the word list; expected one a row"):
        read(VECTORS, WORDS[:5])
    with pytest.raises(ValueError, match=r"has shape \(6,\); expected \(words, dimensions\)"):
        read(VECTORS[:, 0])
    with pytest.raises(ValueError, match="holds int64; expected floats"):
        read(VECTORS.astype(int))
    broken = VECTORS.copy()
    broken[4, 0] = np.inf
    with pytest.raises(ValueError, match=r"row 4 \('400000'\) holds NaN, infinity"):
        read(broken)
    assert read(broken, on_bad_line="skip").n_skipped == 1
    (tmp_path / "vectors.txt").unlink()
    with pytest.raises(ValueError, match=r"needs a word list, one word a line: .* put it beside, as .*vectors\.txt"):
        cf.read_word_vectors(tmp_path / "vectors.npy")


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        ({"words.offsets": np.array([0, 2, 1])}, "must ascend"),
        ({"words.offsets": np.array([0, 1, 99])}, "must ascend, from 0 to at most 2"),
        ({"words.offsets": np.array([0.0, 1, 2])}, "must hold integers"),
        ({"words.offsets": np.array([0, 1])}, "2 rows, but 1 words in the word list"),
    ],
)
def test_broken_words_in_tensors(tmp_path, stored, problem):
    numpy = pytest.importorskip("safetensors.numpy", reason="the safetensors package is missing")
    path = tmp_path / "x.safetensors"
    numpy.save_file({"v": VECTORS[:2], "words": np.frombuffer(b"ab", np.uint8), **stored}, path)
    with pytest.raises(ValueError, match=problem):
        cf.read_word_vectors(path)


def test_wrong_arguments(write):
    path = write(GOOD)
    with pytest.raises(ValueError, match='on_bad_line must be "raise" or "skip", got \'warn\''):
        cf.read_word_vectors(path, on_bad_line="warn")
    with pytest.raises(TypeError, match="words must be strings, got one str"):
        cf.read_word_vectors(path, "horse")
    with pytest.raises(TypeError, match="words must hold str, got b'horse'"):
        cf.read_word_vectors(path, [b"horse"])
    with pytest.raises(TypeError, match=r"path must be str or os\.PathLike, got int"):
        cf.read_word_vectors(3)


# ----------------------------------------------------------------------------------------- progress and memory


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", [glove, word2vec_binary])
def test_progress_goes_from_0_to_1_and_can_stop(write, form, packed):
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(30_000)]
    content = form(words, rng.standard_normal((30_000, 40)).astype(np.float32))
    path = write(gzip.compress(content, 1) if packed else content)
    shares = []
    cf.read_word_vectors(path, ["w7"], progress=shares.append)
    assert len(shares) >= 4
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] == 1

    def stop(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cf.read_word_vectors(path, ["w7"], progress=stop)


@pytest.mark.parametrize("form", [glove, word2vec_binary])
def test_memory_does_not_grow_with_the_file(write, form):
    peaks = []
    for n_words in (10_000, 40_000):
        path = write(form([f"w{i}" for i in range(n_words)], np.full((n_words, 64), 0.125, np.float32)))
        tracemalloc.start()
        cf.read_word_vectors(path, ["w7", "w9999"])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 8e6


# ----------------------------------------------------------------------------------------------- against gensim


class Keyed:
    """What gensim's KeyedVectors offer, and a fastText model's vectors for unknown words."""

    def __init__(self, words, vectors):
        self.key_to_index = {word: i for i, word in enumerate(words)}
        self.vectors = vectors
        self.vector_size = vectors.shape[1]

    def __contains__(self, word):
        return True

    def __getitem__(self, word):
        return self.vectors[self.key_to_index[word]] if word in self.key_to_index else np.ones(self.vector_size)


def test_keyed_vectors():
    keyed = Keyed(WORDS, VECTORS)
    assert_holds(cf.WordVectors.from_keyed_vectors(keyed), WORDS, VECTORS)
    some = cf.WordVectors.from_keyed_vectors(keyed, ["horse", "unknown", "horse"])
    assert_holds(some, ["horse"], VECTORS[[1]])
    assert (some.n_read, some.source, some.dimension) == (6, "Keyed", 3)
    assert cf.WordVectors.from_keyed_vectors(keyed, []).vectors.shape == (0, 3)
    assert_holds(cf.WordVectors.from_keyed_vectors(dict(zip(WORDS, VECTORS))), WORDS, VECTORS)
    with pytest.raises(TypeError, match=r"must have 'in' and \[word\], got int"):
        cf.WordVectors.from_keyed_vectors(3)
    with pytest.raises(ValueError, match=r"the vector of 'b' has shape \(2,\); expected \(3,\)"):
        cf.WordVectors.from_keyed_vectors({"a": [1, 2, 3], "b": [1, 2]})


def test_word_vectors_look_words_up():
    vectors = cf.WordVectors(("a", "b", "a"), VECTORS[:3].astype(np.float64))
    assert vectors.vectors.dtype == np.float32
    assert "a" in vectors
    assert "c" not in vectors
    np.testing.assert_array_equal(vectors["a"], VECTORS[0])
    with pytest.raises(KeyError):
        vectors["c"]
    assert (len(vectors), vectors.dimension, vectors.n_read) == (3, 3, 3)
    assert repr(vectors) == "<3 word vectors x 3, of 3 in word vectors>"
    with pytest.raises(ValueError, match=r"vectors must have shape \(2, D\), one row per word, got \(3, 3\)"):
        cf.WordVectors(("a", "b"), VECTORS[:3])
    with pytest.raises(TypeError, match="vectors must be floats, got int64"):
        cf.WordVectors(("a",), np.ones((1, 2), dtype=np.int64))
    with pytest.raises(ValueError, match=r"vectors\[1\] \('b'\) holds NaN or infinity"):
        cf.WordVectors(("a", "b"), np.array([[1.0], [1e300]]))


# ------------------------------------------------------------------------------------------------ the real files


def plain_text(path):
    rows = [line.split(" ") for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    return [row[0] for row in rows], np.array([[float(x) for x in row[1:]] for row in rows]).astype(np.float32)


def plain_binary(path):
    data = io.BytesIO(path.read_bytes())
    n_words, dimension = map(int, data.readline().split())
    words, rows = [], []
    for _ in range(n_words):
        word = bytearray()
        while (byte := data.read(1)) != b" ":
            word += byte
        words.append(word.lstrip(b"\n").decode())
        rows.append(np.frombuffer(data.read(4 * dimension), "<f4"))
    return words, np.stack(rows)


REAL_FILES = {"glove_50d_20k.txt": (plain_text, 20_002, 50), "glove_twitter_25d_12k.bin": (plain_binary, 11_925, 25)}


@pytest.mark.parametrize("name", REAL_FILES)
def test_real_files_in_every_format(tmp_path, write, name):
    path = REAL_DATA / "word_vectors" / name
    if not path.exists():
        pytest.skip("the real data is not there: ../shared/data/word_vectors")
    plain, n_words, dimension = REAL_FILES[name]
    words, vectors = plain(path)
    assert vectors.shape == (n_words, dimension)
    assert_holds(cf.read_word_vectors(path), words, vectors)
    words, vectors = words[::7], vectors[::7].copy()
    for form in STREAMS:
        content = form(words, vectors)
        assert_holds(cf.read_word_vectors(write(content)), words, vectors)
        assert_holds(cf.read_word_vectors(write(gzip.compress(content, 1))), words, vectors)
    for converted in write_arrays(tmp_path, words, vectors).values():
        assert_holds(cf.read_word_vectors(converted), words, vectors)
        assert_holds(cf.read_word_vectors(converted, [words[-1], words[7]]), [words[7], words[-1]], vectors[[7, -1]])


# ------------------------------------------------------------------------------------------------ any contents

TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters=" \n\r\0"), min_size=1, max_size=6)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(data=st.data(), form=st.sampled_from(STREAMS), packed=st.booleans())
def test_what_goes_in_comes_out(tmp_path, data, form, packed):
    words = data.draw(st.lists(TEXTS, min_size=1, max_size=8, unique=True))
    dimension = data.draw(st.integers(2, 5))
    rows = st.lists(FLOATS, min_size=dimension, max_size=dimension)
    vectors = np.array(data.draw(st.lists(rows, min_size=len(words), max_size=len(words))), dtype=np.float32)
    content = form(words, vectors)
    path = tmp_path / "vectors"
    path.write_bytes(gzip.compress(content) if packed else content)
    wanted = data.draw(st.sets(st.sampled_from(words)))
    expected = [i for i, word in enumerate(words) if word in wanted]
    # A few floats can be bytes that are a text of numbers.
    asked_for = "word2vec-binary" if form in (word2vec_binary, word2vec_binary_without_ends) else None
    found = cf.read_word_vectors(path, wanted, format=asked_for)
    assert_holds(found, [words[i] for i in expected], vectors[expected])


@given(data=st.binary(max_size=200), at=st.integers(0, 200), form=st.sampled_from(STREAMS), skip=st.booleans())
def test_damaged_files_are_read_or_told(tmp_path, data, at, form, skip):
    content = form(WORDS, VECTORS)
    path = tmp_path / "vectors"
    path.write_bytes(content[:at] + data + content[at + len(data) :])
    told = ""
    try:
        found = cf.read_word_vectors(path, on_bad_line="skip" if skip else "raise")
        assert np.isfinite(found.vectors).all()
        assert found.vectors.shape == (len(found.words), found.dimension)
    except (ValueError, ImportError) as error:
        told = str(error)
    assert not told or str(path) in told
