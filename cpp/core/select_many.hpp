// Selection of so many values that comparing them costs more than counting their digits.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/collector.hpp"
#include "core/dtype.hpp"

namespace conse {

/// Scratch of one thread. The time depends on n and k, hardly on the values: a sample that saves most of it, where
/// there are many columns, costs little where it misleads.
template <class Element>
class ManySelector {
  public:
    using Value = decltype(value_of(Element()));

    /// The k largest of row[0..n), which holds no NaN, ordered by (value descending, column ascending).
    const std::vector<Entry<Value>>& select(const KernelTable& kernels, const Element* row, std::size_t n,
                                            std::size_t k);

    /// The same ones, but after the given largest of them, `first`, the others by column.
    const std::vector<Entry<Value>>& complete(const KernelTable& kernels, const std::vector<Entry<Value>>& first,
                                              const Element* row, std::size_t n, std::size_t k);

  private:
    // An unsigned integer that grows as the value falls.
    using Key = std::conditional_t<sizeof(Value) == 8, std::uint64_t, std::uint32_t>;
    struct Keyed {
        Key key;
        std::int32_t id;
    };

    static Key key_of(Element element);
    static Key largest_key(const Element* row, std::size_t n, std::size_t k);
    bool choose_by_sample(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k);
    void choose(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k);
    void sort();

    std::vector<Element> sample_;
    std::vector<std::uint32_t> columns_;
    std::vector<Keyed> chosen_, sorted_;
    std::vector<Entry<Value>> best_;
};

}  // namespace conse
