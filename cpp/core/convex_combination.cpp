#include "core/convex_combination.hpp"

#include "conse/primitives.hpp"
#include "core/arguments.hpp"
#include "core/dispatch.hpp"
#include "core/parallel.hpp"
#include "core/query_rows.hpp"
#include "core/unit_rows.hpp"

namespace conse {

void combine_rows(const MatrixView& probabilities, std::size_t top_t, const ClassEmbeddings& classes,
                  const std::vector<std::uint32_t>& refilled, float* f, const Execution& execution) {
    require_at_least_one("top_t", top_t);
    require_class_columns("probabilities", probabilities, classes.n_classes);
    const KernelTable& table = kernels();
    const Work work{probabilities.rows, query_microseconds(classes.n_classes, top_t, classes.dimension),
                    Query::kAtOnce};
    visit_dtype(probabilities.dtype, [&](auto element) {
        parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
            const auto write = [&](std::size_t r, const Query& query) {
                write_f(query, classes.dimension, f + r * classes.dimension);
            };
            for_each_query<decltype(element)>(table, probabilities, {begin, end}, top_t, classes, refilled, write);
        });
    });
}

void convex_combination(const MatrixView& probabilities, const MatrixView& class_embeddings,
                        const Combination& combination, float* f, const Execution& execution) {
    require_id_range("class_embeddings", class_embeddings.rows);
    const UnitRows unit = unit_rows(class_embeddings, "class_embeddings", combination.normalize_classes, execution);
    combine_rows(probabilities, combination.top_t, class_rows(unit, class_embeddings, combination), {}, f, execution);
}

}  // namespace conse
