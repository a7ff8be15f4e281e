// Labels prepared for ranking: built once, saved as one safetensors file, mapped wherever it is used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "conse/candidates.hpp"
#include "conse/execution.hpp"
#include "conse/explanation.hpp"
#include "conse/matrix_view.hpp"

namespace conse {

struct IndexData;

/// Strings as one UTF-8 text of `size` bytes and count + 1 offsets into it. `offsets` null: there are none.
struct TextView {
    const char* bytes = nullptr;
    const std::int64_t* offsets = nullptr;
    std::size_t count = 0;
    std::size_t size = 0;
};

struct BuildInput {
    MatrixView class_embeddings;                // (classes, dimension)
    MatrixView label_embeddings;                // (rows, dimension); a row of zeros never ranks
    std::size_t n_labels = 0;                   // 0: one label per row
    const std::int64_t* row_label = nullptr;    // (rows) the label that owns the row; null: row r is label r
    const std::int64_t* label_class = nullptr;  // (n_labels) class id or -1; null: no label is a seen class
    TextView class_names, class_ids, label_names, label_ids;
    // Named sets of labels: set i holds label_sets[label_set_offsets[i]] to label_sets[label_set_offsets[i + 1] - 1].
    TextView label_set_names;
    const std::int64_t* label_set_offsets = nullptr;  // (label_set_names.count + 1), from 0 on
    const std::int64_t* label_sets = nullptr;         // label ids in any order
};

/// Label ids as an index holds them, ascending.
struct LabelIds {
    const std::int32_t* ids;
    std::size_t count;
};

/// What becomes of a class without a vector, a row of zeros, when it is among the top_t of an image.
enum class MissingClasses : std::uint8_t {
    skip,    // its weight is lost
    refill,  // the next class takes its place
    raise,   // building is an error if there is one
};

struct BuildOptions {
    bool normalize_classes = true;
    bool compact = false;  // leave the table of class x label scores out
    std::string path;      // not empty: stream to this file (written aside, then renamed), and open it
    MissingClasses missing_classes = MissingClasses::skip;
};

struct IndexInfo {
    std::size_t n_classes, n_labels, n_rows, dimension, n_blocks, block_rows, nbytes;
    std::size_t n_twins;            // labels whose row holds the bits of an earlier label's
    std::size_t n_distinct_blocks;  // of rows that are no other label's twin: what a search among all reads
    bool compact, normalize_classes, refill;
    std::string format_version, producer, checksum, scored_fraction, path;
};

/// How an index would rank. Scores depend on `from_table` alone; the rest decides which labels are scored.
struct Plan {
    bool from_table;           // T multiply-adds per label; else `dimension`, from the label embeddings
    bool bounded;              // bounds decide which labels are scored; else all are, many images at a time
    double expected_fraction;  // of the blocks of labels that a bounded search scores
    std::string reason;
};

/// A handle of an index that never changes: copies share it, and any number of threads may use it, or a copy, at once.
class Index {
  public:
    Index(const Index&) = default;  // and no move, which would leave a handle of nothing
    Index& operator=(const Index&) = default;

    static Index build(const BuildInput& input, const BuildOptions& options, const Execution& execution = {});
    static Index open(const std::string& path);
    /// An index in the caller's memory, copied: the bytes of a saved file.
    static Index from_bytes(const void* bytes, std::size_t size);

    void save(const std::string& path) const;
    /// Reads everything: checksum, ids, finite values, maxima. Throws FormatError.
    void verify(const Execution& execution = {}) const;

    /// Ranks rows of probabilities (any non-negative finite weights) by their top_t largest.
    void rank(const MatrixView& probabilities, std::size_t top_t, const RankingView& ranking,
              const Execution& execution = {}, const RankOptions& options = {}) const;
    /// The same for each T of a list, with selection done once: `ranking` takes (top_t.size(), rows, k).
    void rank(const MatrixView& probabilities, const std::vector<std::size_t>& top_t, const RankingView& ranking,
              const Execution& execution = {}, const RankOptions& options = {}) const;
    /// Softmax of the top_t largest logits at this temperature; only those are exponentiated.
    void rank_logits(const MatrixView& logits, std::size_t top_t, double temperature, const RankingView& ranking,
                     const Execution& execution = {}, const RankOptions& options = {}) const;
    void rank_logits(const MatrixView& logits, const std::vector<std::size_t>& top_t, double temperature,
                     const RankingView& ranking, const Execution& execution = {},
                     const RankOptions& options = {}) const;
    /// (class id, weight) pairs, when the model has its own top-k: both (rows, T); `classes` is C-contiguous.
    void rank_pairs(const std::int64_t* classes, const MatrixView& weights, const RankingView& ranking,
                    const Execution& execution = {}, const RankOptions& options = {}) const;
    /// Candidates for any number of calls: a mask costs a look at every label, and these do not. `mask` has n_labels
    /// bytes, not 0 where a label may be returned; null: all labels.
    CandidateSet prepare(const std::uint8_t* mask) const;
    CandidateSet prepare(const LabelIds& labels) const;
    /// The scores of `count` pairs of a row and a label, with the bits that ranking gives them; -infinity where it
    /// would leave the label out. `options` say the form and the penalty.
    void score_of(const MatrixView& probabilities, std::size_t top_t, const std::int64_t* pairs, std::size_t count,
                  float* scores, const Execution& execution = {}, const RankOptions& options = {}) const;
    /// f of each row, (rows, dimension) float32, not normalised.
    void embed(const MatrixView& probabilities, std::size_t top_t, float* f, const Execution& execution = {}) const;

    /// Takes the scores of given labels apart, class by class. `options` say the form and the penalty.
    void explain(const MatrixView& probabilities, std::size_t top_t, const ExplanationView& explanation,
                 const Execution& execution = {}, const RankOptions& options = {}) const;
    /// cosines (n_labels, classes) of each class with each label, -infinity where one has no vector; the largest of a
    /// label's several vectors.
    void class_cosines(const std::int64_t* labels, std::size_t n_labels, float* cosines,
                       const Execution& execution = {}) const;
    /// (n_labels) vectors that each label has: none, one or several.
    std::vector<std::uint32_t> rows_per_label() const;

    IndexInfo info() const;
    std::size_t n_labels() const;
    /// For calls of so many images: many together score all labels at less cost than one by one.
    Plan plan(std::size_t top_t, std::size_t k, std::size_t n_images = 1024, const CandidateSet& candidates = {}) const;
    const std::int32_t* label_class() const;  // (n_labels)
    TextView class_names() const;
    TextView class_ids() const;
    TextView label_names() const;
    TextView label_ids() const;
    TextView label_set_names() const;
    /// Of the set in this place among the names, std::invalid_argument when there is none; throws FormatError when its
    /// offsets do not lie within the file.
    LabelIds label_set(std::size_t place) const;
    std::string_view bytes() const;  // the file's image

  private:
    explicit Index(std::shared_ptr<const IndexData> data);
    std::shared_ptr<const IndexData> data_;
};

/// String i of a view read from an index, std::invalid_argument when there is none; throws FormatError when its offsets
/// do not lie within the text.
std::string_view text_at(const TextView& texts, std::size_t i);

}  // namespace conse
