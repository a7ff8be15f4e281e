#include "core/arguments.hpp"

#include <string>

namespace conse {

void require_at_least_one(const char* argument, std::size_t value) {
    if (value < 1) invalid_argument(argument, " must be at least 1, got ", value);
}

void require_memory(const char* argument, const void* data, std::size_t count) {
    if (data == nullptr && count > 0) invalid_argument(argument, " is null; expected its elements");
}

void require_dimension(const char* argument, const MatrixView& x, std::size_t dimension) {
    require_memory(argument, x);
    if (x.columns == dimension) return;
    invalid_argument(argument, " has ", x.columns, " columns; expected ", dimension, ", one per dimension");
}

void require_class_columns(const char* argument, const MatrixView& x, std::size_t n_classes) {
    require_memory(argument, x);
    if (x.columns == n_classes) return;
    const std::string cure =
        x.columns != n_classes + 1
            ? ""
            : concat("; one column too many is often a background class: drop it, as in ", argument, "[:, 1:]");
    invalid_argument(argument, " has ", x.columns, " columns; expected ", n_classes, ", one per class", cure);
}

void require_classes(const char* argument, const MatrixView& x) {
    if (x.rows < 1) invalid_argument(argument, " has no rows; expected one per class");
    require_id_range(argument, x.rows);
}

void require_id_range(const char* argument, std::size_t count) {
    if (count >= 0x7fffffffu) invalid_argument(argument, " has ", count, " rows or columns; at most 2147483646 fit");
}

void require_label_ids(const char* argument, const std::int64_t* ids, std::size_t count, std::size_t n_labels,
                       std::ptrdiff_t row) {
    require_memory(argument, ids, count);
    for (std::size_t i = 0; i < count; ++i) {
        if (ids[i] >= -1 && ids[i] < static_cast<std::int64_t>(n_labels)) continue;
        invalid_argument(argument, row < 0 ? "" : concat("[", row, "]"), " holds ", ids[i],
                         "; expected label ids from 0 to ", n_labels - 1, ", or -1");
    }
}

void require_results(const RankingView& ranking, std::size_t n_rows) {
    require_at_least_one("k", ranking.k);
    require_memory("scores", ranking.scores, n_rows);
    require_memory("indices", ranking.indices, n_rows);
}

}  // namespace conse
