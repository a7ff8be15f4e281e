#include "core/convex_combination.hpp"

#include <algorithm>

#include "conse/primitives.hpp"
#include "core/arguments.hpp"
#include "core/dispatch.hpp"
#include "core/parallel.hpp"
#include "core/row_queries.hpp"
#include "core/unit_rows.hpp"

namespace conse {

void combine_rows(const MatrixView& probabilities, std::size_t top_t, const ClassEmbeddings& classes, float* f,
                  const Execution& execution) {
    require_at_least_one("top_t", top_t);
    require_memory("f", f, probabilities.rows * classes.dimension);
    const auto rows = probability_rows(classes, probabilities);
    const KernelTable& table = kernels();
    const Work work{probabilities.rows, query_microseconds(classes.n_classes, top_t, classes.dimension),
                    Query::kAtOnce};
    const auto write = [&](std::size_t r, const Query& query) {
        const auto begin = query.f().begin();
        std::transform(begin, begin + static_cast<std::ptrdiff_t>(classes.dimension), f + r * classes.dimension,
                       [](double component) { return static_cast<float>(component); });
    };
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        for_each_query(table, *rows, {begin, end}, top_t, classes, write);
    });
}

void convex_combination(const MatrixView& probabilities, const MatrixView& class_embeddings,
                        const Combination& combination, float* f, const Execution& execution) {
    require_classes("class_embeddings", class_embeddings);
    const UnitRows unit = unit_rows(class_embeddings, "class_embeddings", combination.normalize_classes, execution);
    combine_rows(probabilities, combination.top_t, class_rows(unit, class_embeddings, combination), f, execution);
}

}  // namespace conse
