#include "core/index_verify.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "conse/error.hpp"
#include "core/class_products.hpp"
#include "core/maxima.hpp"
#include "core/message.hpp"
#include "core/parallel.hpp"
#include "core/table.hpp"

namespace conse {
namespace {

// The table is computed again, perhaps on another machine than the one that built it, so the last bit may differ, and
// with it the step that a maximum is rounded up to.
constexpr float kOtherMachine = 1e-6f;

class Verifier {
  public:
    Verifier(const IndexData& index, const std::string& name, const Execution& execution)
        : index_(index), name_(name), execution_(execution) {}

    void run() {
        const std::string expected = index_.file.metadata.find(kChecksumKey)->second, found = checksum_of(index_);
        if (found != expected)
            fail("its checksum is ", found, " but the header says ", expected, "; copy or build it anew");
        check_ids();
        check_texts("class_names", index_.class_names);
        check_texts("class_ids", index_.class_ids);
        check_texts("label_names", index_.label_names);
        check_texts("label_ids", index_.label_ids);
        check_twins();
        check_label_sets();
        check_classes();
        check_class_products();
        check_blocks();
        for (std::size_t level = 2; level < index_.levels.size(); ++level) check_level(level);
        check_nearest_blocks();
    }

  private:
    template <class... Parts>
    [[noreturn]] void fail(const Parts&... parts) const {
        refuse(concat(parts...));
    }
    [[noreturn]] void refuse(const std::string& what) const {
        throw FormatError(concat("'", name_, "' is damaged: ", what));
    }

    void check_ids() const {
        const auto n_labels = static_cast<std::int64_t>(index_.n_labels);
        std::vector<char> met(index_.n_labels);
        std::size_t n_rows = 0;
        bool repeated = false;
        for (std::size_t i = 0; i < index_.n_blocks * kBlockRows; ++i) {
            const std::int32_t label = index_.row_label[i];
            if (label < -1 || label >= n_labels) fail("row_label[", i, "] is ", label, " with ", n_labels, " labels");
            if (label < 0) continue;
            ++n_rows;
            repeated = repeated || met[static_cast<std::size_t>(label)];
            met[static_cast<std::size_t>(label)] = 1;
        }
        if (n_rows != index_.n_rows) fail("it holds ", n_rows, " rows but its metadata says ", index_.n_rows);
        if (repeated != index_.repeated_labels) fail("its metadata is wrong about labels with several rows");
        const auto n_classes = static_cast<std::int64_t>(index_.classes.n_classes);
        for (std::size_t l = 0; l < index_.n_labels; ++l) {
            const std::int32_t class_id = index_.label_class[l];
            if (class_id < -1 || class_id >= n_classes)
                fail("label_class[", l, "] is ", class_id, " with ", n_classes, " classes");
        }
    }

    // Each twin once, behind a label whose row holds the same bits; in the distinct blocks no twin, in the others
    // nothing else.
    void check_twins() const {
        if (index_.n_twins == 0) return;
        if (index_.repeated_labels) fail("it holds next_twin of labels with several rows");
        std::vector<char> is_twin(index_.n_labels);
        for (std::size_t label = 0; label < index_.n_labels; ++label) {
            const std::int32_t twin = index_.next_twin[label];
            if (twin == -1) continue;
            if (twin <= static_cast<std::int64_t>(label) || !is_label(twin) || is_twin[static_cast<std::size_t>(twin)])
                fail("next_twin[", label, "] is ", twin, " with ", index_.n_labels, " labels");
            is_twin[static_cast<std::size_t>(twin)] = 1;
            if (!hold_same_bits(static_cast<std::int64_t>(label), twin))
                fail("next_twin[", label, "] is ", twin, ", whose row is another");
        }
        const auto n_twins = static_cast<std::size_t>(std::count(is_twin.begin(), is_twin.end(), 1));
        if (n_twins != index_.n_twins) fail("it holds ", n_twins, " twins but its metadata says ", index_.n_twins);
        for (std::size_t i = 0; i < index_.n_blocks * kBlockRows; ++i) {
            const std::int32_t label = index_.row_label[i];
            const bool has_twin = label >= 0 && index_.next_twin[label] >= 0;
            if (has_twin != ((index_.twin_lanes[i / kBlockRows] >> i % kBlockRows & 1) != 0))
                fail("twin_lanes is wrong about row ", i);
            if (label >= 0 && (is_twin[static_cast<std::size_t>(label)] != 0) == (i < n_distinct_rows()))
                fail("row ", i, " stands on the wrong side of the ", index_.n_distinct_blocks(), " distinct blocks");
        }
    }

    bool is_label(std::int32_t id) const { return static_cast<std::uint32_t>(id) < index_.n_labels; }
    std::size_t n_distinct_rows() const { return index_.n_distinct_blocks() * kBlockRows; }

    bool hold_same_bits(std::int64_t label, std::int64_t other) const {
        const LabelPlaces& places = index_.label_places();
        const LabelPlaces::Rows a = places.rows_of(label), b = places.rows_of(other);
        if (a.begin() == a.end() || b.begin() == b.end()) return false;
        const float* x = index_.label_block(*a.first / kBlockRows) + *a.first % kBlockRows;
        const float* y = index_.label_block(*b.first / kBlockRows) + *b.first % kBlockRows;
        for (std::size_t d = 0; d < index_.classes.dimension * kBlockRows; d += kBlockRows) {
            if (std::memcmp(x + d, y + d, sizeof *x) != 0) return false;
        }
        return true;
    }

    // Every id once and in ascending order, between offsets that ascend to the end.
    void check_label_sets() const {
        const std::size_t n_sets = index_.label_set_names.count, n_ids = index_.n_in_label_sets;
        const std::int64_t* offsets = index_.label_set_offsets;
        for (std::size_t i = 0; i < n_sets; ++i) {
            const bool last = i + 1 == n_sets;
            if ((i == 0 && offsets[0] != 0) || offsets[i + 1] <= offsets[i] ||
                (last && offsets[i + 1] != static_cast<std::int64_t>(n_ids))) {
                fail("label_sets.offsets[", i + 1, "] is ", offsets[i + 1], " behind ", offsets[i], " with ", n_ids,
                     " ids");
            }
            std::int64_t before = -1;
            for (std::int64_t at = offsets[i]; at < offsets[i + 1]; before = index_.label_sets[at++]) {
                const std::int32_t label = index_.label_sets[at];
                if (label > before && label < static_cast<std::int64_t>(index_.n_labels)) continue;
                fail("label_sets[", at, "] is ", label, " behind ", before, " with ", index_.n_labels, " labels");
            }
        }
    }

    void check_texts(const char* what, const TextView& texts) const {
        if (texts.offsets == nullptr) return;
        const std::size_t i = first_bad_offset(texts);
        if (i <= texts.count)
            fail(what, ".offsets[", i, "] is ", texts.offsets[i], " in a text of ", texts.size, " bytes");
    }

    void check_finite(const char* what, const float* values, std::size_t count) const {
        for (std::size_t i = 0; i < count; ++i) {
            if (!std::isfinite(values[i])) fail(what, " holds ", values[i], " at element ", i);
        }
    }

    // How many rows a block holds; padding must follow them, and all must be of seen labels, or none.
    std::size_t lanes_filled(std::size_t block) const {
        const std::int32_t* labels = index_.row_label + block * kBlockRows;
        const auto is_seen = [&](std::int32_t label) { return index_.label_class[label] >= 0; };
        std::size_t n_filled = 0;
        while (n_filled < kBlockRows && labels[n_filled] >= 0) ++n_filled;
        for (std::size_t lane = 0; lane < kBlockRows; ++lane) {
            if (lane >= n_filled && labels[lane] >= 0) fail("block ", block, " holds a row behind its padding");
            if (lane < n_filled && is_seen(labels[lane]) != is_seen(labels[0]))
                fail("block ", block, " mixes seen and unseen labels");
        }
        return n_filled;
    }

    // Lengths of stored rows are 1 up to the rounding of their elements.
    void check_length(const char* what, std::size_t row, double found, double expected) const {
        if (std::isfinite(expected) && std::abs(found - expected) <= 1e-5 * std::max(1.0, expected)) return;
        fail(what, " ", row, " has length ", found, " where ", expected, " is expected");
    }

    // Of `dimension` numbers that are `stride` apart.
    double length_of(const float* x, std::size_t stride) const {
        double squares = 0;
        for (std::size_t d = 0; d < index_.classes.dimension; ++d) {
            squares += static_cast<double>(x[d * stride]) * static_cast<double>(x[d * stride]);
        }
        return std::sqrt(squares);
    }

    void check_label_lengths(std::size_t block, std::size_t n_filled) const {
        for (std::size_t lane = 0; lane < n_filled; ++lane) {
            const double length = length_of(index_.label_block(block) + lane, kBlockRows);
            check_length("label row", block * kBlockRows + lane, length, 1);
        }
    }

    void check_classes() const {
        const std::size_t n_classes = index_.classes.n_classes, dimension = index_.classes.dimension;
        check_finite("class_embeddings", index_.classes.data, n_classes * dimension);
        for (std::size_t c = 0; c < n_classes; ++c) {
            check_length("class", c, length_of(index_.classes.data + c * dimension, 1), index_.class_lengths[c]);
        }
    }

    void check_class_products() const {
        const ClassEmbeddings& classes = index_.classes;
        if (classes.products == nullptr) return;
        if (!index_.normalize_classes) fail("it holds class_products of classes that have their own lengths");
        std::vector<float> products(ClassEmbeddings::n_products(classes.n_classes));
        fill_class_products(classes, products.data(), execution_);
        for (std::size_t i = 0; i < products.size(); ++i) {
            if (std::abs(classes.products[i] - products[i]) <= kOtherMachine) continue;
            fail("class_products says ", classes.products[i], " at element ", i, ", where the product is ",
                 products[i]);
        }
    }

    // What stands above a block or a tile against one lane of the level above, in steps.
    void check_maxima(std::size_t level, std::size_t child, const std::vector<std::int16_t>& raised,
                      int tolerance) const {
        for (std::size_t c = 0; c < raised.size(); ++c) {
            const std::int16_t stored = index_.levels[level].maxima[c * index_.maxima_stride(level) + child];
            if (std::abs(stored - raised[c]) <= tolerance) continue;
            fail(maxima_name(level), " says ", stored, " for class ", c, " of number ", child,
                 " below, whose maximum is ", raised[c], " steps");
        }
    }

    // Leaves the stored scores of the block in `scores` when they agree with those that are there.
    void check_table(std::size_t block, std::vector<float>& scores) const {
        for (std::size_t i = 0; i < scores.size(); ++i) {
            const std::size_t class_id = i / kBlockRows, lane = i % kBlockRows;
            const float stored = index_.table_block(block)[class_id * index_.table_stride() + lane];
            if (!(std::abs(stored - scores[i]) <= kOtherMachine * std::max(1.0f, std::abs(scores[i])))) {
                fail("table says ", stored, " for class ", class_id, " and label row ", block * kBlockRows + lane,
                     ", whose product is ", scores[i]);
            }
            scores[i] = stored;
        }
    }

    void check_blocks() const {
        const std::size_t n_classes = index_.classes.n_classes, dimension = index_.classes.dimension;
        const ClassMatrix classes = class_matrix(index_.classes);
        const Work work{index_.n_blocks, 0.005 * static_cast<double>(n_classes * dimension)};
        parallel_for(work, execution_, [&](std::size_t begin, std::size_t end) {
            std::vector<double> scratch;
            std::vector<float> scores(n_classes * kBlockRows);
            std::vector<std::int16_t> raised(n_classes);
            for (std::size_t block = begin; block < end; ++block) {
                const std::size_t n_filled = lanes_filled(block);
                check_finite("label_embeddings", index_.label_block(block), dimension * kBlockRows);
                check_label_lengths(block, n_filled);
                table_block(classes, dimension, index_.label_block(block), scratch, scores.data());
                if (!index_.compact()) check_table(block, scores);
                if (index_.levels.size() < 2 || n_filled == 0) continue;
                raise_block(scores.data(), n_classes, n_filled, static_cast<double>(index_.maxima_step),
                            {raised.data(), 1});
                check_maxima(1, block, raised, index_.compact() ? 1 : 0);
            }
        });
    }

    void check_level(std::size_t level) const {
        std::vector<std::int16_t> raised(index_.classes.n_classes);
        for (std::size_t child = 0; child < index_.levels[level - 1].n_tiles; ++child) {
            raise_tile(index_.maxima_tile(level - 1, child), index_.maxima_stride(level - 1), index_.classes.n_classes,
                       index_.n_children(level - 1, child), {raised.data(), 1});
            check_maxima(level, child, raised, 0);
        }
    }

    void check_nearest_blocks() const {
        if (index_.nearest.blocks == nullptr) return;
        if (!has_nearest_blocks(index_.n_distinct_blocks())) {
            fail("it holds nearest_blocks of ", index_.n_distinct_blocks(), " blocks");
        }
        const std::size_t count = index_.classes.n_classes * NearestBlocks::kCount;
        std::vector<std::int32_t> blocks(count);
        std::vector<std::int16_t> maxima(count);
        fill_nearest_blocks(index_.levels[1].maxima, index_.maxima_stride(1), index_.classes.n_classes,
                            index_.n_distinct_blocks(), blocks.data(), maxima.data());
        for (std::size_t i = 0; i < count; ++i) {
            if (index_.nearest.blocks[i] == blocks[i] && index_.nearest.maxima[i] == maxima[i]) continue;
            fail("nearest_blocks says ", index_.nearest.blocks[i], " with ", index_.nearest.maxima[i],
                 " steps at element ", i, ", where the maxima say ", blocks[i], " with ", maxima[i]);
        }
    }

    const IndexData& index_;
    const std::string& name_;
    const Execution& execution_;
};

}  // namespace

void verify_index(const IndexData& index, const std::string& name, const Execution& execution) {
    Verifier(index, name, execution).run();
}

}  // namespace conse
