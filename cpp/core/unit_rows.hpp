// Rows brought to unit length in float64.
#pragma once

#include <vector>

#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"

namespace conse {

struct UnitRows {
    std::vector<float> data;      // (rows, columns), C-contiguous
    std::vector<double> lengths;  // of the rows as they were given; 0 for a row of zeros, which stays zeros
};

/// Reads row r, which must be finite, into out[0..columns) and divides it by its length, which is returned.
/// Works for any float64 values: squares are taken relative to the largest.
double read_unit_row(const MatrixView& x, std::size_t r, const char* argument, double* out);

/// All rows rounded to float32, normalised or, with `normalize` false, as they are; then their lengths must
/// lie between 1e-15 and 1e15 (or be zero), so that float32 scores can neither overflow nor vanish.
UnitRows unit_rows(const MatrixView& x, const char* argument, bool normalize, const Execution& execution);

}  // namespace conse
