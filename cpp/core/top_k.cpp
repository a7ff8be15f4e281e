#include <limits>
#include <type_traits>

#include "conse/primitives.hpp"
#include "core/arguments.hpp"
#include "core/dispatch.hpp"
#include "core/dtype.hpp"
#include "core/parallel.hpp"
#include "core/select.hpp"

namespace conse {
namespace {

constexpr std::uint16_t kMinusInfinityF16 = 0xfc00;

template <class Element>
Element minus_infinity() {
    if constexpr (std::is_same_v<Element, std::uint16_t>) return kMinusInfinityF16;
    return static_cast<Element>(-std::numeric_limits<double>::infinity());
}

template <class Element>
void top_k_rows(const MatrixView& x, std::size_t k, Element* values, std::int64_t* indices,
                const Execution& execution) {
    const KernelTable& table = kernels();
    const Work work{x.rows, 0.3 + 0.0005 * static_cast<double>(x.columns) + 0.03 * static_cast<double>(k)};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        thread_local Selector<Element> selector;
        for (std::size_t r = begin; r < end; ++r) {
            const Element* row = contiguous_row(x, r, selector.gathered);
            const auto& best = selector.select(table, row, x.columns, k, Domain::ordered, "x", r);
            for (std::size_t i = 0; i < k; ++i) {
                const bool filled = i < best.size();
                values[r * k + i] = filled ? row[best[i].id] : minus_infinity<Element>();
                indices[r * k + i] = filled ? best[i].id : -1;
            }
        }
    });
}

}  // namespace

void top_k(const MatrixView& x, std::size_t k, void* values, std::int64_t* indices, const Execution& execution) {
    require_at_least_one("k", k);
    require_memory("x", x);
    require_memory("values", values, x.rows);
    require_memory("indices", indices, x.rows);
    require_id_range("x", x.columns);
    visit_dtype(x.dtype, [&](auto element) {
        using Element = decltype(element);
        top_k_rows<Element>(x, k, static_cast<Element*>(values), indices, execution);
    });
}

}  // namespace conse
