"""Every metric that the truth allows, for several k, T and sets of labels, in one pass over the images.

    import conse_fast as cf

    found = cf.evaluate(index, probabilities, truth, top_t=[1, 10, 100])
    print(found.figure("unseen labels", "hit", top_t=10, k=5))

`metrics` defines the metrics and names their sources; here they are gathered. With one true label for each image:

| metric | what it is | needs |
|---|---|---|
| `hit` | flat hit@k | |
| `class_hit` | hit@k averaged over the classes | |
| `hierarchical_precision` | hp@k | a hierarchy |
| `ausuc`, `best_harmonic_mean` | the seen-unseen curve, summed up | both kinds of labels in the set, and of images |
| `best_gamma`, `best_seen_accuracy`, `best_unseen_accuracy` | where that harmonic mean is | likewise |
| `harmonic_mean`, `seen_accuracy`, `unseen_accuracy` | the same without calibration (gamma = 0) | likewise |

With several, ``lesa_`` and ``biam_`` (the protocols of NUS-WIDE and of Open Images) before each of

| metric | what it is | needs |
|---|---|---|
| `precision`, `recall`, `f1` | micro averages of the best k labels | |
| `map`, `weighted_map` | mean average precision | labels verified as absent |

An image whose true label is none of a set is left out there and counted (`SetFacts.n_left_out`): it could only be a
miss. Equal scores count as ``ties`` says in `hit`; the other metrics order them by label id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from conse_fast import _arrays
from conse_fast._index import ConseIndex
from conse_fast.evaluation.label_sets import PLUS_SEEN, choose
from conse_fast.evaluation.multi_label import MultiLabelEvaluator
from conse_fast.evaluation.results import Curve, Evaluation, Figure, SetFacts
from conse_fast.evaluation.settings import Settings
from conse_fast.evaluation.single_label import SingleLabelEvaluator
from conse_fast.metrics import Hierarchy, Ties
from conse_fast.metrics.generalised import Average
from conse_fast.metrics.hierarchical import require_hierarchy

if TYPE_CHECKING:
    import numpy.typing as npt

    from conse_fast._candidates import AnyCandidates
    from conse_fast.metrics._checks import Cutoffs

__all__ = ["PLUS_SEEN", "Curve", "Evaluation", "Figure", "SetFacts", "evaluate", "new_evaluator"]


def evaluate(
    index: ConseIndex,
    probabilities: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    label_sets: Mapping[str, AnyCandidates] | None = None,
    plus_seen: bool = False,
    k: Cutoffs | None = None,
    top_t: int | Sequence[int | None] | None = 10,
    hierarchy: Hierarchy | None = None,
    ties: Ties = "label_id",
    average: Average = "class",
    form: Literal["cosine", "dot"] | None = None,
    temperature: float | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
    n_threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Evaluation:
    """Every metric that the truth allows, for several k, T and sets of labels, in one pass over the images.

    Images are ranked and counted a few thousand at a time: an array that is mapped from a file may be larger than the
    memory. `conse_fast.evaluation` lists the metrics.

    Args:
        index: the labels.
        probabilities: (N, C) floats as `ConseIndex.rank` takes them, or logits, see ``temperature``.
        truth: (N,) integers, the label id of each image, -1 where it is not known; or (N, L) integers, +1 where the
            image shows the label, -1 where not, 0 where nobody looked.
        label_sets: labels to rank by name, each as `ConseIndex.candidates` takes them; None: all
            `ConseIndex.label_sets`, or, if there are none, the unseen labels and all labels.
        plus_seen: evaluate each set once more with the seen labels added, on the same images.
        k: one cut-off or several; None: 1, 2, 5, 10, 20, or 3, 5 for (N, L) truth.
        top_t: kept classes per image: one number or several; None: all.
        hierarchy: an is-a graph with the labels of the index in their order.
        ties: what labels count in hit@k that have the same score as the true one, see `metrics.Ties`.
        average: what the accuracies of the seen-unseen curve average over: ``"class"`` or ``"image"``.
        form: ``"cosine"`` or ``"dot"``, see `ConseIndex.rank`; None: dot for (N, L) truth, whose average precisions
            compare scores of different images, else cosine.
        temperature: what logits are divided by; None: the rows hold probabilities.
        confidence: of the intervals.
        n_resamples: of the bootstrap; 0: no intervals.
        seed: where its random numbers begin.
        n_threads: at most so many threads; None: `conse_fast.max_threads`.
        progress: called with the share of the images that is done, 0 to 1.

    Returns:
        `Evaluation`.

    Raises:
        TypeError: An argument has another type.
        ValueError: Shapes or values do not fit, or no image has a true label in any set.
    """
    if not isinstance(index, ConseIndex):
        raise TypeError(f"index must be a ConseIndex, got {type(index).__name__}; a file: ConseIndex.open(path)")
    _arrays.require_callback(progress)
    rows, true = _arrays.matrix(probabilities, "probabilities"), _arrays.as_array(truth, "truth")
    if true.dtype.kind not in "iu":
        cure = "+1 and -1: np.where(truth, 1, -1)" if true.dtype.kind == "b" else "index.find looks names up"
        raise TypeError(f"truth must hold integers, got {true.dtype}; {cure}")
    if true.ndim not in (1, 2) or len(true) != len(rows):
        raise ValueError(f"truth must have shape ({len(rows)},) or ({len(rows)}, {index.n_labels}), got {true.shape}")
    counted = new_evaluator(
        index,
        true.ndim == 2,
        label_sets=label_sets,
        plus_seen=plus_seen,
        hierarchy=hierarchy,
        k=k,
        top_t=top_t,
        ties=ties,
        average=average,
        form=form,
        temperature=temperature,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
        n_threads=n_threads,
    )
    step = counted.rows_at_once(rows.shape[1] * rows.itemsize)
    for first in range(0, len(rows), step):
        counted.add(rows[first : first + step], true[first : first + step])
        if progress is not None:
            progress(min(first + step, len(rows)) / len(rows))
    return counted.result()


def new_evaluator(
    index: ConseIndex,
    multi_label: bool,
    *,
    label_sets: Mapping[str, AnyCandidates] | None,
    plus_seen: bool,
    hierarchy: Hierarchy | None,
    k: Cutoffs | None,
    form: str | None,
    **options: Any,
) -> SingleLabelEvaluator | MultiLabelEvaluator:
    """What counts images chunk by chunk: ``add(rows, truth)`` each, then ``result()``; the arguments of `evaluate`."""
    sets = choose(index, label_sets, plus_seen)
    if multi_label:
        settings = Settings.checked(k=(3, 5) if k is None else k, form=form or "dot", **options)
        return MultiLabelEvaluator(index, sets, settings)
    if hierarchy is not None:
        require_hierarchy(hierarchy)
    settings = Settings.checked(k=(1, 2, 5, 10, 20) if k is None else k, form=form or "cosine", **options)
    return SingleLabelEvaluator(index, sets, settings, hierarchy)
