#include "core/index_verify.hpp"

#include <cmath>

#include "conse/error.hpp"
#include "core/message.hpp"
#include "core/parallel.hpp"
#include "core/table.hpp"

namespace conse {
namespace {

// A compact index holds no table; its maxima are checked against one that is computed again, perhaps on
// another machine, so the last bit may differ.
constexpr float kOtherMachine = 1e-6f;

class Verifier {
  public:
    Verifier(const IndexData& index, const std::string& name, const Execution& execution)
        : index_(index), name_(name), execution_(execution), sizes_(level_sizes(index.n_blocks)) {}

    void run() {
        const std::string expected = index_.file.metadata.find(kChecksumKey)->second, found = checksum_of(index_);
        if (found != expected)
            fail("its checksum is ", found, " but the header says ", expected, "; copy or build it anew");
        check_ids();
        check_texts("class_names", index_.class_names);
        check_texts("class_ids", index_.class_ids);
        check_texts("label_names", index_.label_names);
        check_texts("label_ids", index_.label_ids);
        const std::size_t dimension = index_.classes.dimension, n_classes = index_.classes.n_classes;
        check_finite("class_embeddings", index_.classes.data, n_classes * dimension);
        for (std::size_t c = 0; c < n_classes; ++c) {
            if (!(index_.class_lengths[c] >= 0 && index_.class_lengths[c] <= 1e30))
                fail("class_lengths[", c, "] is wrong");
        }
        check_blocks();
        for (std::size_t level = 2; level < sizes_.size(); ++level) check_level(level);
    }

  private:
    template <class... Parts>
    [[noreturn]] void fail(const Parts&... parts) const {
        throw FormatError(concat("'", name_, "' is damaged: ", parts...));
    }

    void check_ids() const {
        const auto n_labels = static_cast<std::int64_t>(index_.n_labels);
        std::vector<char> met(index_.n_labels);
        std::size_t n_rows = 0;
        bool repeated = false;
        for (std::size_t i = 0; i < index_.n_blocks * kTileLanes; ++i) {
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

    void check_texts(const char* what, const TextView& texts) const {
        if (texts.offsets == nullptr) return;
        for (std::size_t i = 0; i <= texts.count; ++i) {
            const std::int64_t low = i == 0 ? 0 : texts.offsets[i - 1];
            if (texts.offsets[i] < low || texts.offsets[i] > static_cast<std::int64_t>(texts.size)) {
                fail(what, ".offsets[", i, "] is ", texts.offsets[i], " in a text of ", texts.size, " bytes");
            }
        }
    }

    void check_finite(const char* what, const float* values, std::size_t count) const {
        for (std::size_t i = 0; i < count; ++i) {
            if (!std::isfinite(values[i])) fail(what, " holds ", values[i], " at element ", i);
        }
    }

    std::size_t lanes_filled(std::size_t block) const {
        std::size_t lanes = 0;
        while (lanes < kTileLanes && index_.row_label[block * kTileLanes + lanes] >= 0) ++lanes;
        return lanes;
    }

    // The lanes of one tile, raised, against the lane of the level above.
    void check_maxima(std::size_t level, std::size_t child, const float* tile, std::size_t n_lanes, float tolerance,
                      std::vector<float>& raised) const {
        const std::size_t n_classes = index_.classes.n_classes;
        raised.resize(n_classes * kTileLanes);
        raise_maxima(tile, n_classes, n_lanes, raised.data());
        const float* stored = index_.maxima_tile(level, child / kTileLanes) + child % kTileLanes;
        for (std::size_t c = 0; c < n_classes && n_lanes > 0; ++c) {
            const float expected = raised[c * kTileLanes], scale = std::max(1.0f, std::abs(expected));
            if (std::abs(stored[c * kTileLanes] - expected) <= tolerance * scale) continue;
            fail(maxima_name(level), " says ", stored[c * kTileLanes], " for class ", c, " of tile ", child,
                 " below, whose maximum is ", expected);
        }
    }

    void check_blocks() const {
        const std::size_t n_classes = index_.classes.n_classes, dimension = index_.classes.dimension;
        const ClassMatrix classes = index_.compact() ? class_matrix(index_.classes) : ClassMatrix();
        const double terms = static_cast<double>(n_classes) * (index_.compact() ? static_cast<double>(dimension) : 10);
        parallel_for({index_.n_blocks, 0.005 * terms}, execution_, [&](std::size_t begin, std::size_t end) {
            std::vector<double> scratch;
            std::vector<float> computed(index_.compact() ? n_classes * kTileLanes : 0), raised;
            for (std::size_t block = begin; block < end; ++block) {
                check_finite("label_embeddings", index_.label_tile(block), dimension * kTileLanes);
                if (index_.compact())
                    table_tile(classes, dimension, index_.label_tile(block), scratch, computed.data());
                const float* tile = index_.compact() ? computed.data() : index_.table_tile(block);
                check_finite("table", tile, n_classes * kTileLanes);
                if (sizes_.size() < 2) continue;
                check_maxima(1, block, tile, lanes_filled(block), index_.compact() ? kOtherMachine : 0, raised);
            }
        });
    }

    void check_level(std::size_t level) const {
        std::vector<float> raised;
        for (std::size_t child = 0; child < sizes_[level - 1]; ++child) {
            const std::size_t n_lanes = std::min(kTileLanes, sizes_[level - 2] - child * kTileLanes);
            check_maxima(level, child, index_.maxima_tile(level - 1, child), n_lanes, 0, raised);
        }
    }

    const IndexData& index_;
    const std::string& name_;
    const Execution& execution_;
    const std::vector<std::size_t> sizes_;
};

}  // namespace

void verify_index(const IndexData& index, const std::string& name, const Execution& execution) {
    Verifier(index, name, execution).run();
}

}  // namespace conse
