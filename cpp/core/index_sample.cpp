#include "core/index_sample.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/block_scores.hpp"
#include "core/dispatch.hpp"
#include "core/index_search.hpp"
#include "core/parallel.hpp"
#include "core/plan.hpp"

namespace conse {
namespace {

constexpr std::size_t kImages = 64, kTerms = 10, kBest = 10;
// Of one probability to the next. About as many blocks are scored as for photos (0.27 and 0.44 % with 300 and 50
// dimensions; photos 0.28 and 0.82 %), but 80 % where labels are random directions of 300 dimensions: there flat
// probabilities, too, are better not searched for. Halves would say 10 %.
constexpr float kRatio = 0.8f;

std::vector<Entry<float>> made_up_image(const ClassEmbeddings& classes, std::size_t class_id) {
    Collector<float> nearest;
    nearest.reset(std::min(kTerms, classes.n_classes));
    const float* own = classes.data + class_id * classes.dimension;
    for (std::size_t c = 0; c < classes.n_classes; ++c) {
        const float* other = classes.data + c * classes.dimension;
        float dot = 0;
        for (std::size_t d = 0; d < classes.dimension; ++d) dot += own[d] * other[d];
        nearest.push(dot, static_cast<std::int32_t>(c));
        nearest.settle_when_due();
    }
    std::vector<Entry<float>> kept = nearest.finish();
    for (std::size_t t = 0; t < kept.size(); ++t) kept[t].value = std::pow(kRatio, static_cast<float>(t));
    return kept;
}

}  // namespace

std::string sample_scored_fraction(const IndexData& index, const Execution& execution) {
    const KernelTable& table = kernels();
    const std::size_t n_images = std::min(kImages, index.classes.n_classes);
    const Arithmetic arithmetic = choose_arithmetic(index, kTerms);
    std::atomic<std::size_t> n_scored{0};
    parallel_for({n_images, 1000}, execution, [&](std::size_t begin, std::size_t end) {
        Query query;
        Search search;
        for (std::size_t i = begin; i < end; ++i) {
            query.set_weights(made_up_image(index.classes, i * index.classes.n_classes / n_images));
            combine_for(table, index, arithmetic, &query, 1);
            if (!query.has_direction()) continue;
            search.begin(table, index, {}, arithmetic, query, kBest, index.n_blocks, false);
            while (search.choose()) search.visit();
            n_scored += search.blocks_scored();
        }
    });
    // Not as a real number: a program's locale may write that with a comma.
    constexpr std::size_t kMillion = 1'000'000;
    const std::size_t all = n_images * index.n_blocks, millionths = (kMillion * n_scored + all / 2) / all;
    std::string text = std::to_string(kMillion + millionths);  // with all its zeros
    --text[0];
    text.insert(1, ".");
    return text;
}

}  // namespace conse
