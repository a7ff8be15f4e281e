#include "core/query.hpp"

#include <cmath>

namespace conse {

template <class Value>
void Query::set_weights(const std::vector<Entry<Value>>& kept) {
    classes_.clear();
    shares_.clear();
    for (const Entry<Value>& entry : kept) {
        if (!(entry.value > 0)) continue;
        classes_.push_back(static_cast<std::uint32_t>(entry.id));
        // Relative to the largest, so that neither a sum of 1e308s nor one of 1e-320s leaves float64.
        shares_.push_back(static_cast<double>(entry.value) / static_cast<double>(kept.front().value));
    }
    make_shares();
}

template <class Value>
void Query::set_logits(const std::vector<Entry<Value>>& kept, double temperature) {
    classes_.clear();
    shares_.clear();
    for (const Entry<Value>& entry : kept) {
        // Halves, or the difference of float64's largest numbers would overflow.
        const double below = 0.5 * static_cast<double>(entry.value) - 0.5 * static_cast<double>(kept.front().value);
        classes_.push_back(static_cast<std::uint32_t>(entry.id));
        shares_.push_back(std::exp(below / (0.5 * temperature)));
    }
    make_shares();
}

void Query::make_shares() {
    double total = 0;
    for (const double share : shares_) total += share;
    const double factor = 1 / total;
    for (double& share : shares_) share *= factor;
}

void Query::combine(const KernelTable& kernels, const ClassEmbeddings& classes) {
    const std::size_t n_first = std::min(shares_.size(), kBoundTerms), n_rest = shares_.size() - n_first;
    f_.resize(padded(classes.dimension));
    kernels.combine(shares_.data(), classes_.data(), n_first, classes.data, classes.dimension, f_.data());
    rest_length_ = 0;
    if (n_rest > 0) {
        rest_.resize(f_.size());
        rest_shares_.assign(shares_.begin() + static_cast<std::ptrdiff_t>(n_first), shares_.end());
        kernels.combine_many(rest_shares_.data(), classes_.data() + n_first, n_rest, classes.data, classes.dimension,
                             rest_.data());
        rest_length_ = std::sqrt(kernels.squared_length(rest_.data(), classes.dimension));
        for (std::size_t d = 0; d < f_.size(); ++d) f_[d] += rest_[d];
    }
    length_ = std::sqrt(kernels.squared_length(f_.data(), classes.dimension));
    reach_ = classes.lengths == nullptr ? 1 : 0;
    for (std::size_t t = 0; classes.lengths != nullptr && t < shares_.size(); ++t) {
        reach_ += shares_[t] * classes.lengths[classes_[t]];
    }
}

void Query::make_weights(float smallest) {
    weights_.clear();
    const double inverse = 1 / length_;
    for (const double share : shares_) {
        const float weight = static_cast<float>(share * inverse);
        weights_.push_back(weight < smallest ? 0 : weight);
    }
    while (!weights_.empty() && weights_.back() == 0) weights_.pop_back();
}

void Query::make_direction() {
    direction_.resize(f_.size());
    const double inverse = 1 / length_;
    for (std::size_t d = 0; d < f_.size(); ++d) direction_[d] = static_cast<float>(f_[d] * inverse);
}

template void Query::set_weights(const std::vector<Entry<float>>&);
template void Query::set_weights(const std::vector<Entry<double>>&);
template void Query::set_logits(const std::vector<Entry<float>>&, double);
template void Query::set_logits(const std::vector<Entry<double>>&, double);

}  // namespace conse
