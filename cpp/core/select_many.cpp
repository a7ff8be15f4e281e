#include "core/select_many.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "core/survey.hpp"

namespace conse {
namespace {

constexpr int kDigitBits = 8, kPrefixBits = 11;
constexpr std::size_t kDigits = std::size_t{1} << kDigitBits, kPrefixes = std::size_t{1} << kPrefixBits;

struct ByRank {
    template <class Key>
    bool operator()(const Keyed<Key>& a, const Keyed<Key>& b) const {
        return a.key < b.key || (a.key == b.key && a.id < b.id);
    }
};

// By one digit after the other, from the lowest; equal keys keep their order.
template <class Key>
void sort_by_digits(std::vector<Keyed<Key>>& entries, std::vector<Keyed<Key>>& sorted) {
    std::array<std::array<std::uint32_t, kDigits>, sizeof(Key)> places{};
    for (const Keyed<Key>& entry : entries) {
        for (std::size_t digit = 0; digit < sizeof(Key); ++digit) {
            ++places[digit][entry.key >> (kDigitBits * digit) & (kDigits - 1)];
        }
    }
    sorted.resize(entries.size());
    for (std::size_t digit = 0; digit < sizeof(Key); ++digit) {
        std::uint32_t begin = 0, largest = 0;
        for (std::uint32_t& place : places[digit]) {
            largest = std::max(largest, place);
            begin += std::exchange(place, begin);
        }
        if (largest == entries.size()) continue;
        for (const Keyed<Key>& entry : entries) {
            sorted[places[digit][entry.key >> (kDigitBits * digit) & (kDigits - 1)]++] = entry;
        }
        entries.swap(sorted);
    }
}

// The digit that holds the k-th key; keys with a lower one are added to `below`.
std::size_t digit_of(const std::array<std::uint32_t, kPrefixes>& counts, std::size_t k, std::size_t& below) {
    std::size_t digit = 0;
    while (digit + 1 < kPrefixes && below + counts[digit] < k) below += counts[digit++];
    return digit;
}

}  // namespace

template <class Element>
auto ManySelector<Element>::key_of(Element element) -> Key {
    const Value value = value_of(element) + Value{0};  // -0 becomes 0, which it equals
    Key bits;
    std::memcpy(&bits, &value, sizeof bits);
    constexpr Key kSign = Key{1} << (8 * sizeof(Key) - 1);
    return bits & kSign ? bits : ~(bits | kSign);
}

// A key that at least k keys do not exceed, and not many more than that: counts the keys by 11 bits at a time, from the
// highest, within the prefix that holds the k-th.
template <class Element>
auto ManySelector<Element>::last_key(const Element* row, std::size_t n, std::size_t k) -> LastKey {
    std::size_t below = 0;  // keys with a smaller prefix
    Key prefix = 0;
    for (int shift = 8 * static_cast<int>(sizeof(Key)) - kPrefixBits;; shift -= kPrefixBits) {
        std::array<std::uint32_t, kPrefixes> counts{};
        const int above = shift + kPrefixBits;
        const auto belongs = [&](Key key) {
            return above >= 8 * static_cast<int>(sizeof(Key)) || key >> above == prefix;
        };
        for (std::size_t i = 0; i < n; ++i) {
            const Key key = key_of(row[i]);
            if (belongs(key)) ++counts[key >> shift & (kPrefixes - 1)];
        }
        const std::size_t digit = digit_of(counts, k, below);
        prefix = prefix << kPrefixBits | digit;
        const Key last = ((prefix + 1) << shift) - 1;
        if (below + counts[digit] <= 2 * k) return {last, n};
        if (shift < kPrefixBits) return last_of_alike(row, n, k - below, prefix, shift);
    }
}

// The k-th of the keys with a prefix, by the `n_bits` that are left. Rows that are constant or mostly zero come here.
template <class Element>
auto ManySelector<Element>::last_of_alike(const Element* row, std::size_t n, std::size_t k, Key prefix,
                                          int n_bits) -> LastKey {
    std::array<std::uint32_t, kPrefixes> counts{};
    for (std::size_t i = 0; i < n; ++i) {
        const Key key = key_of(row[i]);
        if (key >> n_bits == prefix) ++counts[key & ((Key{1} << n_bits) - 1)];
    }
    std::size_t below = 0;
    const std::size_t digit = digit_of(counts, k, below);
    return {prefix << n_bits | static_cast<Key>(digit), k - below};
}

// By the floor that a sample leaves; false if too few or too many reach it.
template <class Element>
bool ManySelector<Element>::choose_by_sample(const KernelTable& kernels, const Element* row, std::size_t n,
                                             std::size_t k) {
    constexpr std::size_t kMostPerResult = 4, kColumnsAtOnce = 4096;
    // Of fewer columns the digits are counted as fast: real photos' 1,000 probabilities with T = 100 take 1.03 times as
    // long with a sample. 10,000 random columns take 0.8 (k = 1,000), 100,000 take 0.2 of the time.
    constexpr std::size_t kFewestColumns = 4096;
    if (k <= kSurveyLanes || n < std::max(kFewestColumns, kMostPerResult * k)) return false;
    const Value floor = guessed_floor(kernels, row, n, k, sample_);
    columns_.resize(kColumnsAtOnce);
    for (std::size_t begin = 0; begin < n; begin += kColumnsAtOnce) {
        const std::size_t end = std::min(begin + kColumnsAtOnce, n);
        const std::size_t found = collect_of(kernels, row)(row, begin, end, floor, columns_.data());
        if (chosen_.size() + found > kMostPerResult * k) return false;
        for (std::size_t i = 0; i < found; ++i) {
            chosen_.push_back({key_of(row[columns_[i]]), static_cast<std::int32_t>(columns_[i])});
        }
    }
    return chosen_.size() >= k;
}

// The k largest and perhaps some more, by column.
template <class Element>
void ManySelector<Element>::choose(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k) {
    chosen_.clear();
    if (choose_by_sample(kernels, row, n, k)) return;
    LastKey last = k < n ? last_key(row, n, k) : LastKey{std::numeric_limits<Key>::max(), n};
    chosen_.clear();
    for (std::size_t i = 0; i < n; ++i) {
        const Key key = key_of(row[i]);
        if (key > last.key || (key == last.key && last.n_equal == 0)) continue;
        last.n_equal -= static_cast<std::size_t>(key == last.key);
        chosen_.push_back({key, static_cast<std::int32_t>(i)});
    }
}

template <class Element>
auto ManySelector<Element>::select(const KernelTable& kernels, const Element* row, std::size_t n,
                                   std::size_t k) -> const std::vector<Entry<Value>>& {
    choose(kernels, row, n, k);
    sort_by_digits(chosen_, sorted_);
    best_.resize(std::min(k, chosen_.size()));
    for (std::size_t i = 0; i < best_.size(); ++i) best_[i] = {value_of(row[chosen_[i].id]), chosen_[i].id};
    return best_;
}

template <class Element>
auto ManySelector<Element>::complete(const KernelTable& kernels, const std::vector<Entry<Value>>& first,
                                     const Element* row, std::size_t n,
                                     std::size_t k) -> const std::vector<Entry<Value>>& {
    best_ = first;
    const ByRank by_rank;
    choose(kernels, row, n, k);
    if (chosen_.empty()) return best_;
    sorted_ = chosen_;
    const auto kth = sorted_.begin() + static_cast<std::ptrdiff_t>(std::min(k, sorted_.size()) - 1);
    if (k < n) std::nth_element(sorted_.begin(), kth, sorted_.end(), by_rank);
    const Keyed<Key> last = *kth, before{key_of(row[first.back().id]), first.back().id};
    for (const Keyed<Key>& one : chosen_) {
        const bool belongs = by_rank(before, one) && (k >= n || !by_rank(last, one));
        if (belongs) best_.push_back({value_of(row[one.id]), one.id});
    }
    return best_;
}

template class ManySelector<std::uint16_t>;
template class ManySelector<float>;
template class ManySelector<double>;

}  // namespace conse
