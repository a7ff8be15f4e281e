#include "core/query.hpp"

#include <cmath>
#include <cstring>

#include "core/chains.hpp"
#include "core/dtype.hpp"

namespace conse {
namespace {

constexpr int kExponentBias = 1023, kFractionBits = 52;

// What std::ilogb says of a finite number >= 0 (of 0: nothing that matters), and std::ldexp(1.0, exponent): three calls
// of these for every row took 2 % of a query.
int exponent_of(double x) {
    std::uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    const auto biased = static_cast<int>(bits >> kFractionBits);
    return biased > 0 ? biased - kExponentBias : x > 0 ? std::ilogb(x) : 0;
}

double power_of_two(int exponent) {
    const std::uint64_t bits = static_cast<std::uint64_t>(exponent + kExponentBias) << kFractionBits;
    double power;
    std::memcpy(&power, &bits, sizeof power);
    return power;
}

// Brings the largest value into [1, 2) without rounding, so that neither a sum of 1e308s nor one of 1e-320s leaves
// float64.
RowScale scale_for(double largest) {
    const int exponent = exponent_of(largest);
    return {power_of_two(-exponent / 2), power_of_two(-exponent - -exponent / 2)};
}

auto total_weight_of(const KernelTable& k, const float*) {
    return k.total_weight_f32;
}
auto total_weight_of(const KernelTable& k, const double*) {
    return k.total_weight_f64;
}

auto share_out_of(const KernelTable& k, const float*) {
    return k.share_out_f32;
}
auto share_out_of(const KernelTable& k, const double*) {
    return k.share_out_f64;
}

// Of 50 dimensions f takes 1.2 times as long with one chain (T = 1,000, 1,024 rows).
double product_of(const float* x, const double* y, std::size_t n) {
    double chains[kChains] = {};
    in_chains(n, [&](std::size_t chain, std::size_t i) { chains[chain] += static_cast<double>(x[i]) * y[i]; });
    return sum_of(chains);
}

}  // namespace

// Shares relative to the largest, of those that are not zero.
template <class Value>
void Query::take(const std::vector<Entry<Value>>& kept, const RowScale& scale) {
    classes_.resize(kept.size());
    shares_.resize(kept.size());
    std::size_t n = 0;  // places, without a branch for any of them
    for (const Entry<Value>& entry : kept) {
        classes_[n] = static_cast<std::uint32_t>(entry.id);
        shares_[n] = static_cast<double>(entry.value) * scale.half * scale.rest;
        n += entry.value > 0;
    }
    classes_.resize(n);
    shares_.resize(n);
    n_kept_ = kept.size();
    is_row_ = false;
}

template <class Value>
void Query::set_weights(const std::vector<Entry<Value>>& kept) {
    take(kept, scale_for(static_cast<double>(kept.front().value)));
    normalize(total_of_rest());
}

template <class Value>
void Query::set_logits(const std::vector<Entry<Value>>& kept, double temperature) {
    classes_.clear();
    shares_.clear();
    for (const Entry<Value>& entry : kept) {
        // Halves, or the difference of float64's largest numbers would overflow.
        const double below = 0.5 * static_cast<double>(entry.value) - 0.5 * static_cast<double>(kept.front().value);
        classes_.push_back(static_cast<std::uint32_t>(entry.id));
        shares_.push_back(std::exp(2 * (below / temperature)));
    }
    n_kept_ = kept.size();
    is_row_ = false;
    normalize(total_of_rest());
}

template <class Value, class Element>
void Query::set_all_weights(const KernelTable& kernels, const std::vector<Entry<Value>>& first, const Element* row,
                            std::size_t n) {
    const RowScale scale = scale_for(static_cast<double>(first.front().value));
    take(first, scale);
    n_kept_ = n;
    is_row_ = true;
    thread_local std::vector<Value> rest;
    rest.resize(padded(n));
    for (std::size_t c = 0; c < n; ++c) rest[c] = value_of(row[c]);
    std::fill(rest.begin() + static_cast<std::ptrdiff_t>(n), rest.end(), Value{0});
    for (const std::uint32_t c : classes_) rest[c] = 0;
    rest_shares_.resize(rest.size());
    if (shares_.empty()) return std::fill(rest_shares_.begin(), rest_shares_.end(), 0.0f);
    const double factor = normalize(total_weight_of(kernels, rest.data())(rest.data(), rest.size(), scale));
    share_out_of(kernels, rest.data())(rest.data(), rest.size(), scale, factor, rest_shares_.data());
}

// In as many chains as the kernels', by class id: classes without a weight change nothing in it.
double Query::total_of_rest() const {
    double chains[kChains] = {};
    for (std::size_t t = kBoundTerms; t < shares_.size(); ++t) chains[classes_[t] % kChains] += shares_[t];
    return sum_of(chains);
}

double Query::normalize(double total_of_rest) {
    double total = 0;
    for (std::size_t t = 0; t < std::min(shares_.size(), kBoundTerms); ++t) total += shares_[t];
    const double factor = 1 / (total + total_of_rest);
    for (double& share : shares_) share *= factor;
    return factor;
}

// From the shares of all kept classes to what set_all_weights() makes.
void Query::make_row(std::size_t n_classes) {
    rest_shares_.assign(n_classes, 0);
    for (std::size_t t = kBoundTerms; t < shares_.size(); ++t) {
        rest_shares_[classes_[t]] = static_cast<float>(shares_[t]);
    }
    shares_.resize(std::min(shares_.size(), kBoundTerms));
    classes_.resize(shares_.size());
    is_row_ = true;
}

void Query::combine(const KernelTable& kernels, const ClassEmbeddings& classes, Query* queries, std::size_t count) {
    for (std::size_t q = 0; q < count; ++q) queries[q].combine_first(kernels, classes);
    if (combines_all(classes, queries[0].n_kept_)) {
        combine_rows(kernels, classes, queries, count);
    } else {
        for (std::size_t q = 0; q < count; ++q) queries[q].combine_rest(kernels, classes);
    }
    for (std::size_t q = 0; q < count; ++q) queries[q].measure(kernels, classes);
}

void Query::find_lengths(const KernelTable& kernels, const ClassEmbeddings& classes, Query* queries,
                         std::size_t count) {
    if (classes.products == nullptr || !products_are_shorter(queries[0].n_kept_, classes.dimension)) {
        return combine(kernels, classes, queries, count);
    }
    for (std::size_t q = 0; q < count; ++q) {
        if (!queries[q].measure_by_products(kernels, classes)) combine(kernels, classes, &queries[q], 1);
    }
}

// ||f||^2 = sum_ij p_i p_j s_i . s_j. With W = 1 / ||f||, rounding the products to float32 changes ||f|| by at most
// 2^-26 W^2 of itself, which has to stay small beside what a score may be off, 2e-6 W: 2.4e-7 of 8e-6 where W = 4. A
// shorter f is false, to be combined.
bool Query::measure_by_products(const KernelTable& kernels, const ClassEmbeddings& classes) {
    constexpr double kShortest = 0.25;
    const double squared = kernels.pair_sum(shares_.data(), classes_.data(), shares_.size(), classes.products);
    has_f_ = false;
    rest_.clear();
    rest_length_ = 0;
    reach_ = 1;
    length_ = std::sqrt(std::max(0.0, squared));
    return length_ >= kShortest;
}

double Query::product_with_first(const ClassEmbeddings& classes) const {
    if (!has_f_) {
        double product = 0;
        for (std::size_t t = 0; t < classes_.size(); ++t) {
            product += shares_[t] * static_cast<double>(classes.product(classes_.front(), classes_[t]));
        }
        return product;
    }
    return product_of(classes.data + classes_.front() * classes.dimension, f_.data(), classes.dimension);
}

void Query::combine_first(const KernelTable& kernels, const ClassEmbeddings& classes) {
    const std::size_t n_first = std::min(shares_.size(), kBoundTerms);
    f_.resize(padded(classes.dimension));
    kernels.combine(shares_.data(), classes_.data(), n_first, classes.data, classes.dimension, f_.data());
}

void Query::combine_rest(const KernelTable& kernels, const ClassEmbeddings& classes) {
    rest_.clear();
    if (shares_.size() <= kBoundTerms) return;
    rest_.resize(f_.size());
    rest_shares_.assign(shares_.begin() + kBoundTerms, shares_.end());
    kernels.combine_many(rest_shares_.data(), classes_.data() + kBoundTerms, rest_shares_.size(), classes.data,
                         classes.dimension, rest_.data());
}

// The rests of several queries at once, with every class.
void Query::combine_rows(const KernelTable& kernels, const ClassEmbeddings& classes, Query* queries,
                         std::size_t count) {
    thread_local std::vector<float> rows, sums;
    const std::size_t n = classes.n_classes, stride = n + kDotLanes, sums_stride = padded(classes.dimension);
    rows.resize(count * stride);
    sums.assign(count * sums_stride, 0);
    for (std::size_t q = 0; q < count; ++q) {
        if (!queries[q].is_row_) queries[q].make_row(n);
        std::copy_n(queries[q].rest_shares_.begin(), n, rows.begin() + static_cast<std::ptrdiff_t>(q * stride));
    }
    kernels.combine_all({rows.data(), stride, count, n}, classes.data, classes.dimension, sums.data(), sums_stride);
    for (std::size_t q = 0; q < count; ++q) {
        const auto of_query = sums.begin() + static_cast<std::ptrdiff_t>(q * sums_stride);
        queries[q].rest_.assign(of_query, of_query + static_cast<std::ptrdiff_t>(sums_stride));
    }
}

// Adds the rest to f and finds the lengths.
void Query::measure(const KernelTable& kernels, const ClassEmbeddings& classes) {
    has_f_ = true;
    rest_length_ = rest_.empty() ? 0 : std::sqrt(kernels.squared_length(rest_.data(), classes.dimension));
    for (std::size_t d = 0; d < rest_.size(); ++d) f_[d] += rest_[d];
    length_ = std::sqrt(kernels.squared_length(f_.data(), classes.dimension));
    reach_ = classes.lengths == nullptr ? 1 : 0;
    if (classes.lengths == nullptr) return;
    for (std::size_t t = 0; t < shares_.size(); ++t) reach_ += shares_[t] * classes.lengths[classes_[t]];
    if (is_row_) reach_ += product_of(rest_shares_.data(), classes.lengths, classes.n_classes);
}

void Query::make_weights(float smallest) {
    weights_.resize(shares_.size());
    const double inverse = 1 / divisor();
    for (std::size_t t = 0; t < shares_.size(); ++t) {
        const float weight = static_cast<float>(shares_[t] * inverse);
        weights_[t] = weight < smallest ? 0 : weight;
    }
    while (!weights_.empty() && weights_.back() == 0) weights_.pop_back();
}

void Query::make_direction() {
    direction_.resize(f_.size());
    const double inverse = 1 / divisor();
    for (std::size_t d = 0; d < f_.size(); ++d) direction_[d] = static_cast<float>(f_[d] * inverse);
}

template void Query::set_weights(const std::vector<Entry<float>>&);
template void Query::set_weights(const std::vector<Entry<double>>&);
template void Query::set_logits(const std::vector<Entry<float>>&, double);
template void Query::set_logits(const std::vector<Entry<double>>&, double);
template void Query::set_all_weights(const KernelTable&, const std::vector<Entry<float>>&, const std::uint16_t*,
                                     std::size_t);
template void Query::set_all_weights(const KernelTable&, const std::vector<Entry<float>>&, const float*, std::size_t);
template void Query::set_all_weights(const KernelTable&, const std::vector<Entry<double>>&, const double*, std::size_t);

}  // namespace conse
