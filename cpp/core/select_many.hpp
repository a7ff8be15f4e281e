// Selection of so many values that comparing them costs more than counting their digits.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/collector.hpp"
#include "core/dtype.hpp"

namespace conse {

/// An unsigned integer that grows as a value falls, and the value's column.
template <class Key>
struct Keyed {
    Key key;
    std::int32_t id;
};

/// Scratch of one thread. A row is read several times: where another thread changes it meanwhile, what is selected is
/// anybody's guess, but no memory is touched that is not the selector's. The time depends on n and k, hardly on the
/// values: a sample that saves most of it, where there are many columns, costs little where it misleads.
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
    using Key = std::conditional_t<sizeof(Value) == 8, std::uint64_t, std::uint32_t>;

    // What is chosen: the smaller keys, and the first n_equal of those that are equal to this one.
    struct LastKey {
        Key key;
        std::size_t n_equal;
    };

    static Key key_of(Element element);
    static LastKey last_key(const Element* row, std::size_t n, std::size_t k);
    static LastKey last_of_alike(const Element* row, std::size_t n, std::size_t k, Key prefix, int n_bits);
    bool choose_by_sample(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k);
    void choose(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k);

    std::vector<Element> sample_;
    std::vector<std::uint32_t> columns_;
    std::vector<Keyed<Key>> chosen_, sorted_;
    std::vector<Entry<Value>> best_;
};

}  // namespace conse
