"""What the page says around its figures."""

from __future__ import annotations

# hit@1, 2, 5, 10, 20 of ConSE(10) in % (Norouzi et al. 2013).
PAPER = {"2-hops": (9.4, 15.1, 24.7, 32.7, 41.8), "all": (1.4, 2.2, 3.9, 5.8, 8.3)}

HEAD = """\
# Accuracy

How often ConSE is right, on real photos. This page is written by `python benchmarks/accuracy.py` (two minutes on two
cores, with `pip install ".[test]"`) from the data in `../shared/data`; every hit@k and hp@k on it was counted once
more from a separate float64 computation, [to the last photo](#the-same-in-float64). What a caller can rely on
numerically is in [determinism.md](determinism.md).

All figures are shares in %, in brackets 95 % bootstrap intervals (1,000 resamples): what other photos of the same
kind would change. They say nothing of other classifiers, embeddings or labels, and have no width where nothing was hit:
with 0 hits of N photos the share is below 3 / N.

The command for such figures of your own index, images and label sets is `conse-fast evaluate`; in Python it is
`conse_fast.evaluate`, which writes this page too. On what the package ships, without any other data (250 photos,
GloVe; the lines "all" of "imagen, GloVe" below):

```sh
conse-fast demo --output kept
conse-fast evaluate kept/index.safetensors kept/probabilities.npy kept/truth.npy --top-t 1,10,all --ties half
```
"""

PHOTOS = """\
- **imagen**: 1,000 photos, 250 of them of 50 unseen classes; **animals**: 2,667 photos of animals, 1,399 of unseen
  classes.
- What a MobileNetV2 (float32, 1,000 classes of ILSVRC 2012) says about each: a softmax over the 1,000 *seen* classes.
- 21,842 ImageNet labels: the seen classes, and 20,842 *unseen* ones. "2-hops", "3-hops" and "all" are the sets of the
  literature: unseen labels at most two or three steps from a seen class in WordNet, or all of them. "+ seen" adds the
  1,000 seen labels as competitors ("+1K" in the literature).
- Two embeddings of the labels: **WordNet glosses, 300-d** (tf-idf of glosses, lemmas and ancestors, truncated SVD),
  and **GloVe, 50-d** (20,002 words; a label is the mean of its words, or takes its parents' mean; as in `conse-fast
  demo`).
- ConSE(T) keeps the T most probable classes; T = 1,000 is all of them.

A photo counts in a set if its true label is in it; "+ seen" is counted on the same photos as the set without it:
"""

HITS = """\
Flat hit@k: the true label is among the best k. Labels that score exactly like the true one count half (half of them
are taken to stand before it). For the known case, imagen, glosses, all, T = 10, plain NumPy gave .032, .060, .124,
.252, .400 before this program existed.
"""

BESIDE = """\
The paper's figures (Norouzi et al. 2013, arXiv 1312.5650; ConSE(10)) are of *other images* (ImageNet 2011, all photos
of all unseen classes), of *another classifier* (Krizhevsky's network), and of 500-dimensional word vectors trained on
Wikipedia. They stand here for their order of magnitude; the same method, not the same experiment. That photos of few
classes, mostly of common things, are easier than all of ImageNet is to be expected.
"""

NEAR = """\
hp@k: the share of the best k labels that are near the true one in WordNet (Frome et al. 2013): in the smallest set of
whole rings around it that holds k of the ranked labels. hp@1 is hit@1 with equal scores by label id; in the tables
above they count half.
"""

CURVES = """\
Photos of seen and of unseen classes, ranked among the labels of both. Seen labels win nearly always, since f is a
mixture of their embeddings; calibrated stacking takes gamma from their scores (Chao et al. 2016). Each gamma is a
point of the curve: top-1 accuracy on photos of seen and on photos of unseen classes, each an average over the
classes. AUSUC is the area under it; H is the harmonic mean (Xian et al. 2017), the dot in the plots its largest
value, for a gamma chosen on these very photos. Use it as `seen_penalty`.

The long slopes with GloVe are single steps: there, many an unseen label has the same embedding as a seen one (the
same known words, or the same parents), and all of these pairs change places at gamma 0.
"""

TAGS = """\
925 tags are the seen labels, 81 concepts the unseen ones, with GloVe vectors of 300 dimensions. **None of NUS-WIDE's
images are at hand: these 2,000 are generated** (`benchmarks/figures/tags.py`: concepts, tags near them, and what a
classifier of tags might say), so that the figures say nothing about accuracy. They show that the protocol is
computed: precision, recall and F1 of the best 3 and 5 labels of each image, and mAP over all labels (Huynh and
Elhamifar 2020, LESA). The first lines are zero-shot (rank the concepts), the others generalised (rank all). Every
figure here and in the next section is within {off} of a separate float64 computation. Scores are `form="dot"`, which
can be compared between images, as average precision does. With T = 1, f is the embedding of one tag: all its images
score alike, and are one step.
"""

OPEN_IMAGES = """\
The public leaderboard entry of this method is Open Images V4, mAP 40.4 (400 unseen labels). To compute it one needs

- the test images' *verified* image-level labels: +1 present, -1 absent, 0 nobody looked (most pairs of image and
  label);
- a classifier's probabilities over the 7,186 seen labels for each image, from any multi-label network;
- word vectors of the seen and the 400 unseen labels.

None of them are at hand, so this is the same protocol on the generated images, of which {n:,} pairs are verified:

```sh
conse-fast build seen.npy labels.npy --label-class classes_of_labels.npy -o labels.safetensors
conse-fast evaluate labels.safetensors probabilities.npy verified.npy --k 10,20
```

with `verified.npy` of shape (images, labels), int8. As BiAM's program does on Open Images, images without a positive
label are left out, then labels that were never verified; LESA's protocol leaves out nothing. The 40.4 is of other
images and another classifier: no figure here can be compared with it. Memory is 13 bytes for each verified pair.
"""

FLOAT64 = """\
`tests/reference.py` computes every score in float64, and hits and correct labels are counted in plain NumPy,
hierarchies by SciPy's shortest paths: no index, no float32, none of the package's counters. Equal counts means equal
to the last photo.

*Near-ties* are photos (for each label set and T) where some label's score is within 2e-6 of the true label's without
being equal. There float32 may order the two otherwise, which could decide a hit; it decided none. Labels with the
same embedding score equally in both. The curves' gammas are differences of scores, and two photos whose differences
nearly agree may change places; the last columns say how much that changes.
"""

CHOICES = """\
- **Equal scores.** No paper says what they count; published programs take whatever order a sort leaves. Here half of
  them stand before the true label, in hit@k; rankings, hp@k and the curves order them by label id. `--ties` has the
  others.
- **Which images count for "+1K"**: those of the set's unseen labels, as in the tables of DeViSE and ConSE; the seen
  labels are only competitors. Photos of seen classes count in the curves.
- **A true label without an embedding** (463 of the labels with GloVe) never ranks: a miss, not left out.
- **Averages.** hit@k is over photos, as in the ImageNet tables; the curves' accuracies over classes, as in Xian et
  al. `conse-fast evaluate` prints hit@k by class as well, and `--average image` makes curves of photos.
- **hp@k.** Steps go up and down through all of WordNet, through nodes that are no candidates; only ranked labels are
  counted. DeViSE does not say whether "+1K" adds the seen labels to the correct set. Here it does: they are ranked.
- **Four wnids of "all"** have no label in the data: 20,842 of 20,846 are ranked.
- **The curve** is joined by straight lines between the points of all gammas and not prolonged to the axes.
- **T = 1,000** is all classes of this classifier.
"""
