// Calls whose arguments are just what the core needs, which is most: nothing to convert, nothing to complain about.
#pragma once

#include <optional>
#include <utility>

#include "bindings/arrays.hpp"

namespace conse::bindings {

/// The view of a C-contiguous, aligned (C,) or (N, C) array of a floating type in native byte order.
std::optional<MatrixView> plain_rows(const py::handle& x);

/// A whole number from 1 on.
std::optional<std::size_t> plain_count(const py::handle& x);

/// New arrays (k,) or (N, k) for rows like `x` when `out` is None; else its two when they fit and overlap nothing.
std::optional<std::pair<py::array, py::array>> plain_results(const py::handle& out, const py::handle& x, std::size_t k);

/// A Ranking of these arrays.
py::object plain_ranking(const py::object& scores, const py::object& indices);

}  // namespace conse::bindings
