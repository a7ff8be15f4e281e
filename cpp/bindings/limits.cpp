#include "conse/limits.hpp"

#include "bindings/arrays.hpp"

namespace conse::bindings {
namespace {

Limits measure(std::size_t megabytes, int n_threads) {
    const Execution how = execution(n_threads);
    const ReleaseGil nogil;
    return measure_limits(megabytes, how);
}

}  // namespace

void bind_limits(py::module_& module) {
    module.def("measure_limits", [](std::size_t megabytes, int n_threads) {
        const Limits limits = measure(megabytes, n_threads);
        return py::make_tuple(limits.read_once_bytes_per_second, limits.bandwidth_bytes_per_second,
                              limits.multiply_adds_per_second, limits.n_threads, limits.target);
    });
}

}  // namespace conse::bindings
