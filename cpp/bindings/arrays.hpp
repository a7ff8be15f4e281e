// NumPy arrays as views, and what every binding does around a call of the core.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "conse/conse.hpp"

namespace conse::bindings {

namespace py = pybind11;

using ReleaseGil = py::gil_scoped_release;

/// A 2-D array of float16, float32 or float64 in native byte order; TypeError otherwise. The Python face has
/// checked and worded this before; it is repeated here so that no call can make the core read wild memory.
MatrixView matrix_view(const py::array& x, const char* argument);

/// The data of a C-contiguous array of exactly this type and size; TypeError otherwise.
template <class Element>
Element* data_of(const py::array& x, std::size_t size, const char* argument, bool writable) {
    const bool fits = x.dtype().num() == py::dtype::of<Element>().num() && x.dtype().byteorder() != '>' &&
                      (x.flags() & py::array::c_style) != 0 && static_cast<std::size_t>(x.size()) == size &&
                      (!writable || x.writeable());
    if (!fits) throw py::type_error(std::string(argument) + ": unexpected array");
    return static_cast<Element*>(const_cast<void*>(x.data()));
}

template <class Element>
const Element* optional_data(const std::optional<py::array>& x, std::size_t size, const char* argument) {
    return x ? data_of<const Element>(*x, size, argument, false) : nullptr;
}

/// (rows, k) or (lists, rows, k) float32 scores and int64 indices.
RankingView ranking_view(const py::array& scores, const py::array& indices, std::size_t rows, std::size_t lists = 1);

/// Threads, and a checkpoint that lets Ctrl-C through and calls progress(fraction) unless it is None.
Execution execution(int n_threads, const py::object& progress = py::none());

void bind_primitives(py::module_& module);
void bind_index(py::module_& module);
void bind_explain(py::module_& module);
void bind_limits(py::module_& module);

}  // namespace conse::bindings
