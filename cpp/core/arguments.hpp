// Checks that every face of the program needs, worded for the argument they are about.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "conse/matrix_view.hpp"
#include "core/message.hpp"

namespace conse {

inline void require_at_least_one(const char* argument, std::size_t value) {
    if (value < 1) invalid_argument(argument, " must be at least 1, got ", value);
}

inline void require_dimension(const char* argument, const MatrixView& x, std::size_t dimension) {
    if (x.columns == dimension) return;
    invalid_argument(argument, " has ", x.columns, " columns; expected ", dimension, ", one per dimension");
}

inline void require_class_columns(const char* argument, const MatrixView& x, std::size_t n_classes) {
    if (x.columns == n_classes) return;
    const std::string cure =
        x.columns != n_classes + 1
            ? ""
            : concat("; one column too many is often a background class: drop it, as in ", argument, "[:, 1:]");
    invalid_argument(argument, " has ", x.columns, " columns; expected ", n_classes, ", one per class", cure);
}

// Class, label and column ids are int32 inside; the largest is never used.
inline void require_id_range(const char* argument, std::size_t count) {
    if (count >= 0x7fffffffu) invalid_argument(argument, " has ", count, " rows or columns; at most 2147483646 fit");
}

/// Label ids, -1 in unused places; of this row, if there are several.
inline void require_label_ids(const char* argument, const std::int64_t* ids, std::size_t count, std::size_t n_labels,
                              std::ptrdiff_t row = -1) {
    for (std::size_t i = 0; i < count; ++i) {
        if (ids[i] >= -1 && ids[i] < static_cast<std::int64_t>(n_labels)) continue;
        invalid_argument(argument, row < 0 ? "" : concat("[", row, "]"), " holds ", ids[i],
                         "; expected label ids from 0 to ", n_labels - 1, ", or -1");
    }
}

}  // namespace conse
