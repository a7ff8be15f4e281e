// Matrices as the caller holds them: nothing is copied, nothing is owned.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conse {

enum class DType : std::uint8_t { f16, f32, f64 };  // IEEE 754 binary16, 32, 64 in native byte order

constexpr std::size_t size_of(DType dtype) {
    return dtype == DType::f16 ? 2 : dtype == DType::f32 ? 4 : 8;
}

/// A read-only matrix with any strides, in bytes. Elements are aligned to their size.
struct MatrixView {
    const void* data = nullptr;
    DType dtype = DType::f32;
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::ptrdiff_t row_stride = 0;
    std::ptrdiff_t column_stride = 0;

    bool has_contiguous_rows() const {
        return rows == 0 || columns <= 1 || column_stride == static_cast<std::ptrdiff_t>(size_of(dtype));
    }
    const void* row(std::size_t r) const {
        return static_cast<const char*>(data) + static_cast<std::ptrdiff_t>(r) * row_stride;
    }
};

/// A C-contiguous float32 matrix.
inline MatrixView matrix_view(const float* data, std::size_t rows, std::size_t columns) {
    return {data, DType::f32, rows, columns, static_cast<std::ptrdiff_t>(columns * sizeof(float)), sizeof(float)};
}

/// Where (rows, k) results go, both C-contiguous: scores descending, ties by the lower index; a place that
/// stays empty holds -infinity and -1.
struct RankingView {
    float* scores = nullptr;
    std::int64_t* indices = nullptr;
    std::size_t k = 0;
};

}  // namespace conse
