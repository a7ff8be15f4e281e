#include "bindings/arrays.hpp"

namespace conse::bindings {

MatrixView matrix_view(const py::array& x, const char* argument) {
    if (x.ndim() != 2) throw py::type_error(std::string(argument) + ": expected a 2-D array");
    MatrixView view{
        x.data(),     DType::f32,  static_cast<std::size_t>(x.shape(0)), static_cast<std::size_t>(x.shape(1)),
        x.strides(0), x.strides(1)};
    const py::dtype dtype = x.dtype();
    const bool floating = dtype.kind() == 'f' && dtype.byteorder() != '>';
    if (floating && dtype.itemsize() == 2) {
        view.dtype = DType::f16;
    } else if (floating && dtype.itemsize() == 8) {
        view.dtype = DType::f64;
    } else if (!floating || dtype.itemsize() != 4) {
        throw py::type_error(std::string(argument) + ": expected float16, float32 or float64 in native byte order");
    }
    return view;
}

RankingView ranking_view(const py::array& scores, const py::array& indices, std::size_t rows, std::size_t lists) {
    if (scores.ndim() < 2) throw py::type_error("scores: expected an array of at least two dimensions");
    const auto k = static_cast<std::size_t>(scores.shape(scores.ndim() - 1));
    const std::size_t size = lists * rows * k;
    return {data_of<float>(scores, size, "scores", true), data_of<std::int64_t>(indices, size, "indices", true), k};
}

Execution execution(int n_threads, const py::object& progress) {
    choose_target();  // here, where the GIL is held: os.environ may be changed by another thread once it is not
    const py::handle callback =
        progress.is_none() ? py::handle() : py::handle(progress);  // the caller's argument outlives the call
    return {n_threads, [callback](double fraction) {
                const py::gil_scoped_acquire gil;
                if (PyErr_CheckSignals() != 0) throw py::error_already_set();
                if (callback) callback(fraction);
            }};
}

}  // namespace conse::bindings
