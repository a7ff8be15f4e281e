#include "core/screening.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>

#include "core/buckets.hpp"
#include "core/line.hpp"
#include "core/parallel.hpp"
#include "core/survey.hpp"

namespace conse {
namespace {

// With more results scoring every label costs less: between a quarter and a half of the labels (300 and 768
// dimensions), between a half and all of them (50).
constexpr std::size_t kLabelsPerResult = 4;
// Labels of which all bounds are kept until the floor is known: 256 KB. Then there is a floor for as many labels as
// were seen before, and so on.
constexpr std::size_t kFirstLabels = 1 << 15;
constexpr std::size_t kLabelsAtOnce = 1024;  // whose bounds stay in the L1 cache

constexpr float kNothing = -std::numeric_limits<float>::infinity();

// What a screened score and the score may differ by, for a label whose length is the one it is given. A sum of n
// products in float32 errs by n halves of an epsilon at most, times both lengths, in whatever order it is made; that
// goes for the screened product and for the score's, a root of a sum of n squares errs by half of it, and the other
// roundings are few.
float screening_margin(const float* query, std::size_t dimension) {
    double squares = 0;
    for (std::size_t d = 0; d < dimension; ++d) squares += static_cast<double>(query[d]) * query[d];
    const double terms = 4 * static_cast<double>(dimension + 16);
    return static_cast<float>(terms * std::numeric_limits<float>::epsilon() / 2 * std::sqrt(squares));
}

void append_reaching(const KernelTable& kernels, const float* values, std::size_t n, float floor,
                     std::vector<std::int32_t>& places) {
    std::uint32_t columns[kLabelsAtOnce];
    for (std::size_t begin = 0; begin < n; begin += kLabelsAtOnce) {
        const std::size_t end = std::min(begin + kLabelsAtOnce, n);
        places.insert(places.end(), columns, columns + kernels.collect_f32(values, begin, end, floor, columns));
    }
}

// What at least k of the values reach, and few more.
float floor_of(const KernelTable& kernels, const float* values, std::size_t n, std::size_t k) {
    if (k > n) return kNothing;
    if (k <= kSurveyLanes) return surveyed_floor(kernels, values, n, k);
    std::vector<float> sample;
    std::vector<std::int32_t> places;
    append_reaching(kernels, values, n, guessed_floor(kernels, values, n, k, sample), places);
    if (places.size() < k) {
        places.clear();
        append_reaching(kernels, values, n, kNothing, places);
    }
    std::vector<Entry<float>> found(places.size());
    for (std::size_t i = 0; i < found.size(); ++i) found[i] = {values[places[i]], places[i]};
    return Buckets<float>().cut(found, k);
}

// Labels that may be among the k best, as far as is known.
class Screen {
  public:
    Screen(const KernelTable& kernels, const float* query, const LabelRows& labels, std::size_t k)
        : kernels_(kernels),
          query_(query),
          labels_(labels),
          k_(k),
          margin_(screening_margin(query, labels.view.columns)) {}

    // Those of the first labels, [0, n).
    std::vector<std::int32_t> begin(std::size_t n, const Execution& execution) {
        const std::size_t n_tiles = (n + kDenseLanes - 1) / kDenseLanes;
        bounds_.reset(new Line[2 * n_tiles]);
        lowest_ = bounds_[0].lanes;
        highest_ = bounds_[n_tiles].lanes;
        for_each_range(0, n, execution, [&](std::size_t first, std::size_t last) {
            enclose(first, last, lowest_ + first, highest_ + first);
        });
        floor_ = floor_of(kernels_, lowest_, n, k_);
        std::vector<std::int32_t> labels;
        append_reaching(kernels_, highest_, n, floor_, labels);
        return labels;
    }

    // Keeps those labels, since others come after them.
    void keep(const std::vector<std::int32_t>& labels) {
        for (const std::int32_t label : labels) found_.push_back({label, lowest_[label], highest_[label]});
        bounds_.reset();
    }

    // The next labels: [begin, end).
    void go_on(std::size_t begin, std::size_t end, const Execution& execution) {
        for_each_range(begin, end, execution, [&](std::size_t first, std::size_t last) {
            for (; first < last; first += kLabelsAtOnce) add(first, std::min(first + kLabelsAtOnce, last));
        });
        std::vector<float> lowest;
        for (const Found& one : found_) lowest.push_back(one.lowest);
        floor_ = std::max(floor_, floor_of(kernels_, lowest.data(), lowest.size(), k_));
    }

    std::vector<std::int32_t> labels() const {
        std::vector<std::int32_t> ids;
        for (const Found& one : found_) {
            if (one.highest >= floor_) ids.push_back(one.id);
        }
        std::sort(ids.begin(), ids.end());
        return ids;
    }

  private:
    struct Found {
        std::int32_t id;
        float lowest, highest;
    };

    // Whole tiles of labels.
    template <class Body>
    void for_each_range(std::size_t begin, std::size_t end, const Execution& execution, const Body& body) const {
        const double microseconds = 1e-4 * static_cast<double>(kDenseLanes * (labels_.view.columns + 8));
        const Work tiles{(end - begin + kDenseLanes - 1) / kDenseLanes, microseconds};
        parallel_for(tiles, execution, [&](std::size_t first, std::size_t last) {
            body(begin + first * kDenseLanes, std::min(begin + last * kDenseLanes, end));
        });
    }

    void enclose(std::size_t begin, std::size_t end, float* lowest, float* highest) const {
        const auto kernel = labels_.view.dtype == DType::f16 ? kernels_.enclose_f16 : kernels_.enclose_f32;
        kernel(query_, labels_.rows_of(begin, end), labels_.lengths_from(begin), margin_, lowest, highest);
    }

    void add(std::size_t begin, std::size_t end) {
        alignas(64) float lowest[kLabelsAtOnce], highest[kLabelsAtOnce];
        std::uint32_t places[kLabelsAtOnce];
        enclose(begin, end, lowest, highest);
        const std::size_t n = kernels_.collect_f32(highest, 0, end - begin, floor_, places);
        const std::lock_guard<std::mutex> guard(mutex_);
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint32_t place = places[i];
            found_.push_back({static_cast<std::int32_t>(begin + place), lowest[place], highest[place]});
        }
    }

    const KernelTable& kernels_;
    const float* const query_;
    const LabelRows& labels_;
    const std::size_t k_;
    const float margin_;
    float floor_ = kNothing;
    std::unique_ptr<Line[]> bounds_;  // of the first labels
    float *lowest_ = nullptr, *highest_ = nullptr;
    std::mutex mutex_;
    std::vector<Found> found_;
};

}  // namespace

std::optional<std::vector<std::int32_t>> screen(const KernelTable& kernels, const Directions& queries,
                                                const LabelRows& labels, std::size_t k, const Execution& execution) {
    const std::size_t n = labels.view.rows;
    const bool pays = queries.kinds.size() == 1 && queries.kinds[0] == Directions::kUsual &&
                      labels.view.columns >= kDenseLanes && k <= n / kLabelsPerResult;
    if (!pays) return std::nullopt;
    const auto share = [&](std::size_t label) { return static_cast<double>(label) / static_cast<double>(n); };
    Screen screen(kernels, queries[0], labels, k);
    std::size_t begin = std::min(n, std::max(kFirstLabels, kLabelsPerResult * k));
    std::vector<std::int32_t> first = screen.begin(begin, stage(execution, 0, share(begin)));
    if (2 * first.size() > begin) return std::nullopt;
    if (begin == n) return first;
    screen.keep(first);
    while (begin < n) {
        const std::size_t end = std::min(n, 2 * begin);
        screen.go_on(begin, end, stage(execution, share(begin), share(end)));
        begin = end;
    }
    return screen.labels();
}

}  // namespace conse
