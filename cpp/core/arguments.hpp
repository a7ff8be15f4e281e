// Checks that every face of the program needs, worded for the argument they are about.
#pragma once

#include <cstddef>
#include <cstdint>

#include "conse/matrix_view.hpp"
#include "core/message.hpp"

namespace conse {

void require_at_least_one(const char* argument, std::size_t value);

/// No null pointer where there is something to read or to write.
void require_memory(const char* argument, const void* data, std::size_t count);
inline void require_memory(const char* argument, const MatrixView& x) {
    require_memory(argument, x.data, x.rows * x.columns);
}

/// A matrix with a column for each dimension.
void require_dimension(const char* argument, const MatrixView& x, std::size_t dimension);
/// A matrix with a column for each class.
void require_class_columns(const char* argument, const MatrixView& x, std::size_t n_classes);

/// One class or more, and no more than ids can count.
void require_classes(const char* argument, const MatrixView& x);

/// Class, label and column ids are int32 inside; the largest is never used.
void require_id_range(const char* argument, std::size_t count);

/// Label ids, -1 in unused places; of this row, if there are several.
void require_label_ids(const char* argument, const std::int64_t* ids, std::size_t count, std::size_t n_labels,
                       std::ptrdiff_t row = -1);

/// Places for the k best of so many rows.
void require_results(const RankingView& ranking, std::size_t n_rows);

}  // namespace conse
