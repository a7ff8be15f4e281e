"""From names to embeddings: spellings, synonyms, hierarchies, the report, and all of it against a plain oracle."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from reference import assert_ranking, random_problem

import conse_fast as cf

# Words by hand. The name "?" is no known word; "x" is an ancestor but no label.
WORDS = ["fish", "cat", "dog", "big"]
WORD_VECTORS = cf.WordVectors(tuple(WORDS), np.array([[8, 0], [0, 4], [0, 8], [2, 2]], dtype=np.float32))


def vectors_of(*words):
    """Word vectors of which each is a unit vector of its own, so that means tell what went into them."""
    return cf.WordVectors(words, np.eye(len(words), 12, dtype=np.float32))


def taken(name, *words, **rules):
    """What of a name was looked up successfully, synonym by synonym, and how."""
    coverage = cf.embed_labels([name], vectors_of(*words), rules=cf.NameRules(**rules)).coverage
    return [(synonym.how, *synonym.found) for synonym in coverage.labels[0].synonyms]


# -------------------------------------------------------------------------------------------------- spellings


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        (
            "polar bear",
            [
                *("polar_bear", "Polar_Bear", "Polar_bear", "POLAR_BEAR"),
                *("polar-bear", "Polar-Bear", "Polar-bear", "POLAR-BEAR"),
                *("polar bear", "Polar Bear", "Polar bear", "POLAR BEAR"),
                *("polarbear", "PolarBear", "Polarbear", "POLARBEAR"),
            ],
        ),
        ("horse", ["horse", "Horse", "HORSE"]),
        ("Equus caballus", ["Equus_caballus", "equus_caballus", "Equus_Caballus", "EQUUS_CABALLUS", "Equus-caballus"]),
        ("T-shirt", ["T-shirt", "t-shirt", "T-SHIRT", "T_shirt", "t_shirt", "T_Shirt", "T_SHIRT"]),
        ("man-eating shark", ["man-eating_shark", "Man-eating_Shark", "Man-eating_shark", "MAN-EATING_SHARK"]),
    ],
)
def test_spellings_of_a_whole_synonym_in_order(name, spellings):
    rules = cf.NameRules()
    assert rules.whole_spellings(rules.words(name))[: len(spellings)] == spellings
    for i, spelling in enumerate(spellings):  # the first one that is known counts
        assert taken(name, *reversed(spellings[i:])) == [("whole", spelling)]


def test_every_spelling_that_is_tried_is_read():
    names = ["great white shark, man-eater", "T-shirt", "Tinca tinca"]
    for rules in (cf.NameRules(), cf.NameRules(phrases=False), cf.NameRules(case="lower", hyphens="split")):
        lookups = rules.lookups(names)
        for word in lookups:
            assert any(how != "none" for name in names for how, *_ in [*taken(name, word, **rules.__dict__)])


@pytest.mark.parametrize(
    ("name", "words", "rules", "expected"),
    [
        ("polar bear", ["polar", "bear", "polar_bear"], {}, ("whole", "polar_bear")),
        ("polar bear", ["polar", "bear", "polar_bear"], {"phrases": False}, ("words", "polar", "bear")),
        ("polar bear", ["polar", "Bear"], {}, ("words", "polar", "Bear")),
        ("polar bear", ["polar", "Bear"], {"case": "exact"}, ("some words", "polar")),
        ("Polar Bear", ["polar", "Bear"], {"case": "lower"}, ("some words", "polar")),
        ("polar bear", ["polar"], {}, ("some words", "polar")),
        ("polar bear", ["polar"], {"some_words": False}, ("none",)),
        ("polar bear", ["fish"], {}, ("none",)),
        ("polar_bear", ["polar", "bear"], {}, ("words", "polar", "bear")),
        ("polar_bear", ["polar", "bear"], {"spaces": ""}, ("none",)),
        ("polar+bear", ["polar", "bear"], {"spaces": "_+"}, ("words", "polar", "bear")),
        ("man-eater", ["man-eater", "man", "eater"], {}, ("whole", "man-eater")),
        ("man-eater", ["maneater", "man", "eater"], {}, ("whole", "maneater")),
        ("man-eater", ["man", "eater"], {}, ("words", "man", "eater")),
        ("man-eater", ["man"], {}, ("some words", "man")),
        ("man-eater", ["man", "eater", "man-eater"], {"hyphens": "split", "phrases": False}, ("words", "man", "eater")),
        ("man-eater", ["man", "eater"], {"hyphens": "keep"}, ("none",)),
        ("man-eater", ["maneater", "man"], {"phrases": False}, ("some words", "man")),
        ("man-eating shark", ["man", "eating", "shark"], {}, ("words", "man", "eating", "shark")),
        ("man-eating shark", ["man_eating", "shark"], {}, ("words", "man_eating", "shark")),
        ("man-eating shark", ["man_eating_shark", "shark"], {}, ("whole", "man_eating_shark")),
        ("horse", ["Horse"], {"case": "exact"}, ("none",)),
        ("mother's boy", ["mother", "boy"], {}, ("some words", "boy")),
        ("C++", ["C++", "C"], {}, ("whole", "C++")),
    ],
)
def test_every_step_can_be_switched_off(name, words, rules, expected):
    assert taken(name, *words, **rules) == [expected]


def test_synonyms():
    assert taken("horse,  Equus caballus, , x", "horse", "Equus") == [
        ("whole", "horse"),
        ("some words", "Equus"),
        ("none",),
    ]
    assert taken("horse, donkey", "horse", separator=None) == [("none",)]
    assert taken("horse; donkey", "horse", separator=";") == [("whole", "horse"), ("none",)]
    assert taken("  , ", "horse") == []


@pytest.mark.parametrize(
    ("lemma", "words"),
    [
        ("Tinca tinca", ["tinca", "tinca"]),
        (" man-eating  shark", ["man", "eating", "shark"]),
        ("mother's boy", ["mother's", "boy"]),
        ("St. John's-wort", ["st.", "john's", "wort"]),
        ("on/off switch", ["on/off", "switch"]),
        ("a_b", ["a_b"]),
        ("", []),
    ],
)
def test_the_words_of_the_demo(lemma, words):
    from conse_fast.demo import RULES

    assert RULES.lookups([lemma]) == set(words)


def test_wrong_rules():
    with pytest.raises(ValueError, match="case must be one of fallback, lower, exact, got 'upper'"):
        cf.NameRules(case="upper")
    with pytest.raises(ValueError, match="hyphens must be one of fallback, split, keep, got 'cut'"):
        cf.NameRules(hyphens="cut")
    with pytest.raises(TypeError, match="separator must be a str or None, got 5"):
        cf.NameRules(separator=5)
    with pytest.raises(TypeError, match="spaces must be a str, got None"):
        cf.NameRules(spaces=None)


# -------------------------------------------------------------------------------------------------- the means


def embed(names, is_a=(), **options):
    return cf.embed_labels(list(names.values()), WORD_VECTORS, ids=list(names), hierarchy=is_a, **options)


def test_a_synonym_counts_once_however_many_words_it_has():
    embeddings = embed({"a": "Big-cat, fish, unheard of", "b": "cat cat dog"})
    np.testing.assert_array_equal(embeddings.vectors, np.array([[4.5, 1.5], [0, 16 / 3]], np.float32))
    assert embeddings.levels.tolist() == [0, 0]
    assert embeddings.row_label is None


def test_parents_come_before_grandparents():
    embeddings = embed({"a": "?", "b": "cat", "c": "fish"}, [("b", "a"), ("c", "b")])
    assert embeddings.vectors[0].tolist() == [0, 4]
    assert embeddings.levels.tolist() == [1, 0, 0]


def test_ancestors_of_the_nearest_level_are_averaged():
    embeddings = embed({"a": "?", "b": "cat", "c": "fish", "d": "?"}, [("b", "a"), ("c", "a"), ("d", "a")])
    assert embeddings.vectors[0].tolist() == [4, 2]
    assert embeddings.coverage.labels[0].ancestors == ("b", "c")


def test_an_ancestor_counts_once_however_many_ways_lead_to_it():
    names = {"a": "?", "p": "?", "q": "?", "b": "cat", "c": "dog"}
    embeddings = embed(names, [("p", "a"), ("q", "a"), ("b", "p"), ("b", "q"), ("c", "q")])
    assert embeddings.vectors[0].tolist() == [0, 6]
    assert embeddings.levels.tolist() == [2, 1, 1, 0, 0]


def test_an_ancestor_stands_at_its_shortest_distance():
    embeddings = embed({"a": "?", "p": "cat", "f": "fish"}, [("p", "a"), ("f", "a"), ("f", "p")])
    assert embeddings.vectors[0].tolist() == [4, 2]


def test_borrowed_vectors_are_not_lent_on():
    # Lent on, p's mean of two and q's one would weigh the same in a; its three grandparents weigh the same.
    names = {"a": "?", "p": "?", "q": "?", "b": "cat", "c": "fish", "d": "dog"}
    embeddings = embed(names, [("p", "a"), ("q", "a"), ("b", "p"), ("c", "p"), ("d", "q")])
    np.testing.assert_array_equal(embeddings.vectors[0], np.array([8 / 3, 4], np.float32))
    assert embeddings.vectors[1].tolist() == [4, 2]


def test_the_search_passes_through_ancestors_that_are_no_label():
    embeddings = embed({"a": "?", "b": "cat"}, [("x", "a"), ("b", "x")])
    assert embeddings.vectors[0].tolist() == [0, 4]
    assert embeddings.levels[0] == 2


def test_a_cycle_ends_the_search():
    assert embed({"a": "?", "b": "?"}, [("b", "a"), ("a", "b")]).levels.tolist() == [-1, -1]


def test_a_label_without_any_way_to_a_word_has_zeros():
    embeddings = embed({"a": "?", "b": "?", "c": "cat"}, [("x", "a"), ("a", "c")])
    assert embeddings.vectors[:2].tolist() == [[0, 0], [0, 0]]
    assert embeddings.levels.tolist() == [-1, -1, 0]
    assert embeddings.has_vector.tolist() == [False, False, True]
    assert embeddings.has_word.tolist() == [False, False, True]
    assert embeddings.coverage.without_vector() == [0, 1]


def test_no_known_word_at_all():
    embeddings = embed({"a": "?", "b": "?"}, [("b", "a")])
    assert not embeddings.vectors.any()
    assert embeddings.levels.tolist() == [-1, -1]
    assert embed({"a": "?"}, per_synonym=True).vectors.shape == (0, 2)


def test_names_are_the_ids_where_there_are_none():
    for pairs in ([("cat", "polar fox")], [["cat", "polar fox"]], np.array([["cat", "polar fox"]])):
        embeddings = cf.embed_labels(["polar fox", "cat"], WORD_VECTORS, hierarchy=pairs)
        assert embeddings.vectors[0].tolist() == [0, 4]


def test_of_repeated_ids_the_first_one_with_a_vector_lends():
    ids, names = ["a", "b", "b", "b"], ["?", "?", "cat", "fish"]
    embeddings = cf.embed_labels(names, WORD_VECTORS, ids=ids, hierarchy=[("b", "a")])
    assert embeddings.vectors[0].tolist() == [0, 4]


def test_a_vector_per_synonym():
    names = {"a": "?", "b": "cat, x, big dog, fish", "c": "??", "d": "dog"}
    embeddings = embed(names, [("b", "a")], per_synonym=True)
    assert embeddings.row_label.tolist() == [0, 1, 1, 1, 3]
    expected = [[3, 3], [0, 4], [1, 5], [8, 0], [0, 8]]
    np.testing.assert_array_equal(embeddings.vectors, np.array(expected, np.float32))
    assert embeddings.levels.tolist() == [1, 0, -1, 0]
    assert len(embeddings) == 4


@pytest.mark.parametrize("per_synonym", [False, True])
@pytest.mark.parametrize("part", [slice(1, 3), slice(None, None, -1), slice(2, None), slice(0, 0)])
def test_slices_of_labels(part, per_synonym):
    names = {"a": "?", "b": "cat, x, big dog, fish", "c": "??", "d": "dog"}
    whole = embed(names, [("b", "a")], per_synonym=per_synonym)[part]
    alone = embed(names, [("b", "a")], per_synonym=per_synonym)
    assert len(whole) == len(range(4)[part])
    for new, old in enumerate(range(4)[part]):
        if per_synonym:
            rows, expected = whole.vectors[whole.row_label == new], alone.vectors[alone.row_label == old]
        else:
            rows, expected = whole.vectors[new], alone.vectors[old]
        np.testing.assert_array_equal(rows, expected)
        assert whole.coverage.labels[new] == alone.coverage.labels[old]
        assert whole.levels[new] == alone.levels[old]


# ------------------------------------------------------------------------------------------------- the sources


def test_word_vectors_from_a_file_or_a_keyed_object(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("fish 8 0\ncat 0 4\nDog 0 8\nbird 1 1\nbig 2 2\n")
    names = ["big cat", "dog, bird", "none"]
    expected = np.array([[1, 3], [0.5, 4.5], [0, 0]], np.float32)
    shares = []
    for source in (path, str(path), {"big": [2, 2], "cat": [0, 4], "Dog": [0, 8], "bird": [1, 1]}):
        embeddings = cf.embed_labels(names, source, progress=shares.append)
        np.testing.assert_array_equal(embeddings.vectors, expected)
    assert shares[-1] == 1


def test_wrong_arguments():
    with pytest.raises(TypeError, match="names must be a sequence of str, got one str"):
        cf.embed_labels("cat", WORD_VECTORS)
    with pytest.raises(TypeError, match=r"names\[1\] must be a str, got 3"):
        cf.embed_labels(["cat", 3], WORD_VECTORS)
    with pytest.raises(ValueError, match="ids has 1 entries; expected 2, one per name"):
        cf.embed_labels(["cat", "dog"], WORD_VECTORS, ids=["a"])
    for no_vectors in (3, [1, 2], np.eye(3)):
        with pytest.raises(TypeError, match="must have 'in'"):
            cf.embed_labels(["cat"], no_vectors)
    for no_names in ({"cat"}, {"cat": 1}, (name for name in ["cat"])):
        with pytest.raises(TypeError, match=r"names must be a sequence of str, got .*; make it a list"):
            cf.embed_labels(no_names, WORD_VECTORS)
    with pytest.raises(TypeError, match="the vector of 'cat' must be numbers"):
        cf.embed_labels(["cat"], {"cat": "x"})
    assert cf.embed_labels(["zebra"], {"horse": np.ones(3)}).vectors.shape == (1, 3)
    for no_pairs, match in (
        (None, "got None"),
        ([{"a", "b"}], "got {'"),
    ):
        with pytest.raises(TypeError, match=rf"hierarchy must hold \(parent, child\) pairs, .*{match}"):
            cf.embed_labels(["cat"], WORD_VECTORS, hierarchy=no_pairs)
    for no_pairs, match in (("is_a.txt", "a file: read_hierarchy"), ([("a",)], "got \\('a',\\)"), (["ab"], "'ab'")):
        with pytest.raises(TypeError, match=rf"hierarchy must hold \(parent, child\) pairs, .*{match}"):
            cf.embed_labels(["cat"], WORD_VECTORS, hierarchy=no_pairs)
    with pytest.raises(TypeError, match="rules must be NameRules, got int"):
        cf.embed_labels(["cat"], WORD_VECTORS, rules=5)
    for no_slice in (0, [0, 1], np.array([True, False])):
        with pytest.raises(TypeError, match="label embeddings are cut with a slice, got"):
            cf.embed_labels(["cat", "dog"], WORD_VECTORS)[no_slice]


def test_a_hierarchy_file(tmp_path):
    path = tmp_path / "is_a.txt"
    path.write_bytes("\ufeffn1 n2\r\n\n n3  n4 \npolar fox\tarctic fox\n".encode())
    assert cf.read_hierarchy(path) == [("n1", "n2"), ("n3", "n4"), ("polar fox", "arctic fox")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a b\na b c\n", "line 2 is 'a b c'; expected 'parent child'"),
        (b"a\n", "line 1 is 'a'; expected"),
        (b"a b\n\xff c\n", "line 2 is not UTF-8"),
        (b"a\tb\tc\n", "line 1 is"),
        (b"\ta b\n", "line 1 is"),
    ],
)
def test_a_broken_hierarchy_file(tmp_path, content, problem):
    path = tmp_path / "is_a.txt"
    path.write_bytes(content)
    if content.startswith(b"\t"):  # white space around a line means nothing
        assert cf.read_hierarchy(path) == [("a", "b")]
        return
    with pytest.raises(ValueError, match=rf"is_a\.txt: {problem}"):
        cf.read_hierarchy(path)


# -------------------------------------------------------------------------------------------------- the report


def test_the_report():
    names = {"a": "cat", "b": "big cat, moose", "c": "big moose", "d": "? moose", "e": "?, moose"}
    coverage = embed(names, [("a", "d"), ("c", "d")]).coverage
    assert coverage.counts() == {"whole": 1, "words": 1, "some words": 1, "ancestors": 1, "none": 1}
    assert [label.how for label in coverage.labels] == ["whole", "words", "some words", "ancestors", "none"]
    assert [label.level for label in coverage.labels] == [0, 0, 0, 1, -1]
    assert coverage.unknown_words() == {"moose": 4, "?": 2}
    report = json.loads(json.dumps(coverage.to_dict()))
    assert report["n_labels"] == len(coverage) == 5
    assert report["counts"] == coverage.counts()
    assert report["without_vector"] == ["?, moose"]
    assert report["labels"][2] == {
        "name": "big moose",
        "label_id": "c",
        "how": "some words",
        "level": 0,
        "synonyms": [{"text": "big moose", "how": "some words", "found": ["big"], "unknown": ["moose"]}],
        "ancestors": [],
    }
    assert report["labels"][3]["ancestors"] == ["a", "c"]


# -------------------------------------------------------------------------------------------- against an oracle


def plain_vector(name, known):
    """The rules in words, without hyphens and cases: the means of float64 vectors, or None."""
    synonyms = []
    for synonym in name.split(","):
        words = synonym.split()
        whole = [joiner.join(words) for joiner in ("_", "-", " ", "")]
        found = [known[w] for w in whole if w in known][:1] or [known[w] for w in words if w in known]
        if words and found:
            synonyms.append(np.mean(found, axis=0))
    return synonyms


def plain_ancestors(i, parents, own):
    level = {i}
    seen = {i}
    while level:
        level = {p for n in level for p in parents.get(n, ())} - seen
        seen |= level
        found = [np.mean(own[p], axis=0) for p in sorted(level) if own[p]]
        if found:
            return np.mean(found, axis=0)
    return None


TOKENS = ["a", "b", "c", "d", "a_b", "b-c", "cd", "e f"]
NAMES = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=3).map(" ".join), max_size=3).map(",".join)


@given(
    names=st.lists(NAMES, min_size=1, max_size=7),
    tokens=st.sets(st.sampled_from(TOKENS), min_size=1),
    seed=st.integers(0, 2**32 - 1),
    per_synonym=st.booleans(),
    data=st.data(),
)
def test_embeddings_against_the_oracle(names, tokens, seed, per_synonym, data):
    rng = np.random.default_rng(seed)
    tokens = sorted(tokens)
    vectors = cf.WordVectors(tuple(tokens), rng.standard_normal((len(tokens), 3)).astype(np.float32))
    label = st.integers(0, len(names) - 1)
    pairs = data.draw(st.lists(st.tuples(label, label), max_size=8))
    ids = [str(i) for i in range(len(names))]
    rules = cf.NameRules(case="exact")
    hierarchy = [(str(parent), str(child)) for parent, child in pairs]
    found = cf.embed_labels(names, vectors, ids=ids, hierarchy=hierarchy, rules=rules, per_synonym=per_synonym)

    known = dict(zip(tokens, vectors.vectors.astype(np.float64)))
    own = [plain_vector(name, known) for name in names]
    parents = {i: [parent for parent, child in pairs if child == i] for i in range(len(names))}
    for i in range(len(names)):
        borrowed = None if own[i] else plain_ancestors(i, parents, own)
        rows = own[i] or ([] if borrowed is None else [borrowed])
        if per_synonym:
            np.testing.assert_allclose(found.vectors[found.row_label == i], np.reshape(rows, (-1, 3)), atol=1e-6)
        else:
            np.testing.assert_allclose(found.vectors[i], np.mean(rows, axis=0) if rows else np.zeros(3), atol=1e-6)
        assert found.has_word[i] == bool(own[i])
        assert found.has_vector[i] == bool(rows)


@given(
    names=st.lists(st.lists(st.text(max_size=8), max_size=3).map(",".join), max_size=5),
    case=st.sampled_from(["fallback", "lower", "exact"]),
    hyphens=st.sampled_from(["fallback", "split", "keep"]),
    phrases=st.booleans(),
)
def test_any_name_finds_what_was_read_for_it(names, case, hyphens, phrases):
    rules = cf.NameRules(case=case, hyphens=hyphens, phrases=phrases)
    lookups = sorted(rules.lookups(names))
    vectors = cf.WordVectors(tuple(lookups), np.ones((len(lookups), 2), np.float32))
    coverage = cf.embed_labels(names, vectors, rules=rules).coverage
    for label in coverage.labels:
        for synonym in label.synonyms:
            assert synonym.how in ("whole", "words", "none")
            assert not synonym.unknown
            assert (synonym.how == "none") == (not rules.words(synonym.text))


# ------------------------------------------------------------------------------- a label's largest score, ranked


@pytest.mark.parametrize("form", ["full", "compact"])
@given(seed=st.integers(0, 2**32 - 1), n_words=st.integers(3, 60), n_labels=st.integers(1, 120))
def test_the_score_of_a_label_is_the_largest_of_its_synonyms(make_index, target, form, seed, n_words, n_labels):
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(n_words)]
    vectors = cf.WordVectors(tuple(words), rng.standard_normal((n_words, 8)).astype(np.float32))
    names = [", ".join(rng.choice([*words, "?"], rng.integers(1, 5))) for _ in range(n_labels)]
    labels = cf.embed_labels(names, vectors, per_synonym=True)
    if not len(labels.vectors):
        return
    probabilities, classes, _ = random_problem(seed, n=4, n_classes=12, dimension=8)
    index = make_index(classes, labels.vectors, form=form, row_label=labels.row_label, label_names=names)
    known = {word: vectors[word] for word in words}
    oracle = np.full((4, n_labels), -np.inf)
    for i, name in enumerate(names):
        rows = plain_vector(name, known)
        if rows:
            oracle[:, i] = reference.conse_scores(probabilities, classes, np.stack(rows)).max(axis=1)
    for k in (1, 10, n_labels):
        assert_ranking(*index.rank(probabilities, k), oracle, k, reference.tolerance(probabilities, classes))


def test_several_vectors_per_label_cost_what_their_rows_cost(make_index):
    # The same rows, each once a label of its own and once one of a label's three, as synonyms would be.
    rng = np.random.default_rng(0)
    probabilities, classes, centres = random_problem(0, n=256, n_classes=200, n_labels=4000, dimension=50)
    rows = np.repeat(centres, 3, axis=0) + 0.3 * rng.standard_normal((12_000, 50)).astype(np.float32)
    single = make_index(classes, rows)
    several = make_index(classes, rows, row_label=np.repeat(np.arange(4000), 3))

    def seconds(index):
        begin = time.perf_counter()
        index.rank(probabilities, 10, n_threads=1)
        return time.perf_counter() - begin

    times = [(seconds(single), seconds(several)) for _ in range(15)]
    ratio = min(b for _, b in times) / min(a for a, _ in times)
    assert ratio < 2, f"{ratio:.2f} times as long"
