from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from conse_fast._ranking import Ranking

_Array = npt.NDArray[Any]
_Texts = tuple[bytes, npt.NDArray[np.int64]] | None
# None where the arguments have to be looked at.
_PlainRanker = Callable[[object, object, object, object, object], Ranking | None]
_LabelSets = tuple[_Texts, npt.NDArray[np.int64], npt.NDArray[np.int64]] | None

version: str

def max_threads() -> int: ...
def current_target() -> str: ...
def supported_targets() -> tuple[str, ...]: ...
def measure_limits(megabytes: int, n_threads: int, /) -> tuple[float, float, float, int, str]: ...
def top_k(x: _Array, k: int, values: _Array, indices: _Array, n_threads: int) -> None: ...
def convex_combination(
    probabilities: _Array,
    class_embeddings: _Array,
    top_t: int,
    normalize_classes: bool,
    out: _Array,
    n_threads: int,
) -> None: ...
def cosine_rank(
    queries: _Array,
    label_matrix: _Array,
    query_lengths: _Array | None,
    label_lengths: _Array | None,
    scores: _Array,
    indices: _Array,
    n_threads: int,
) -> None: ...
def cosine_rank_plain(
    queries: object, label_matrix: object, k: object, out: object, n_threads: object, /
) -> Ranking | None: ...
def conse(
    probabilities: _Array,
    class_embeddings: _Array,
    label_embeddings: _Array,
    top_t: int,
    normalize_classes: bool,
    scores: _Array,
    indices: _Array,
    n_threads: int,
) -> None: ...

class CandidateSet: ...

# set, masks or ids; ids to exclude; penalty of seen labels; whether scores are dot products
_Options = tuple[CandidateSet | _Array | None, _Array | None, float, bool]

class Index:
    @staticmethod
    def build(
        *,
        class_embeddings: _Array,
        label_embeddings: _Array,
        n_labels: int,
        row_label: _Array | None,
        label_class: _Array | None,
        class_names: _Texts,
        class_ids: _Texts,
        label_names: _Texts,
        label_ids: _Texts,
        label_sets: _LabelSets,
        normalize_classes: bool,
        compact: bool,
        missing_classes: str,
        path: bytes,
        n_threads: int,
        progress: Callable[[float], object] | None,
    ) -> Index: ...
    @staticmethod
    def open(path: bytes, /) -> Index: ...
    @staticmethod
    def from_bytes(data: bytes, /) -> Index: ...
    def to_bytes(self) -> bytes: ...
    def save(self, path: bytes, /) -> None: ...
    def verify(self, n_threads: int, /) -> None: ...
    def prepare(self, mask: _Array | None, /) -> CandidateSet: ...
    def rank(
        self,
        probabilities: _Array,
        top_t: list[int],
        scores: _Array,
        indices: _Array,
        n_threads: int,
        options: _Options,
        /,
    ) -> None: ...
    def plain_ranker(self) -> _PlainRanker:
        """A function of (probabilities, k, top_t, out, n_threads), to be called as often as there are images."""
    def rank_logits(
        self,
        logits: _Array,
        top_t: list[int],
        temperature: float,
        scores: _Array,
        indices: _Array,
        n_threads: int,
        options: _Options,
        /,
    ) -> None: ...
    def rank_pairs(
        self, classes: _Array, weights: _Array, scores: _Array, indices: _Array, n_threads: int, options: _Options, /
    ) -> None: ...
    def score_of(
        self,
        probabilities: _Array,
        top_t: int,
        pairs: _Array,
        scores: _Array,
        n_threads: int,
        options: _Options,
        /,
    ) -> None: ...
    def embed(self, probabilities: _Array, top_t: int, out: _Array, n_threads: int, /) -> None: ...
    def explain(
        self,
        probabilities: _Array,
        top_t: int,
        labels: _Array,
        results: tuple[_Array, _Array, _Array, _Array, _Array],
        n_threads: int,
        seen_penalty: float,
        dot: bool,
        /,
    ) -> None: ...
    def class_cosines(self, labels: _Array, cosines: _Array, n_threads: int, /) -> None: ...
    def rows_per_label(self) -> npt.NDArray[np.uint32]: ...
    def info(self) -> dict[str, Any]: ...
    def plan(
        self, top_t: int, k: int, n_images: int, candidates: CandidateSet | None, /
    ) -> tuple[str, bool, float, str]: ...
    def has_texts(self, which: str, /) -> bool: ...
    def text(self, which: str, i: int, /) -> str: ...
    def label_set(self, place: int, /) -> npt.NDArray[np.int32]: ...
    def label_class(self) -> npt.NDArray[np.int32]: ...
