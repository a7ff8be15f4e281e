// What the search knows of one image: its kept classes, their weights, and the direction of f.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/collector.hpp"
#include "kernels/kernels.hpp"

namespace conse {

/// Class embeddings as the core keeps them: (classes, dimension) float32, C-contiguous.
struct ClassEmbeddings {
    const float* data;
    std::size_t n_classes;
    std::size_t dimension;
    const double* lengths;  // (classes) of the rows, or null when they were brought to length 1
};

/// Scratch of one thread; filled anew for every image.
class Query {
  public:
    /// Takes kept classes with their probabilities (or any weights >= 0): the kBoundTerms largest in their order, the
    /// others by class id.
    template <class Value>
    void set_weights(const std::vector<Entry<Value>>& kept);
    /// Takes kept classes with their logits: the weights are exp((logit - largest) / temperature).
    template <class Value>
    void set_logits(const std::vector<Entry<Value>>& kept, double temperature);

    /// f = sum_t shares[t] * s_t in float64 and its length.
    void combine(const KernelTable& kernels, const ClassEmbeddings& classes);

    /// Whether f points anywhere: false when all weights are zero or the embeddings cancel.
    bool has_direction() const { return length_ > kShortestLength * reach_; }

    /// weights[t] = shares[t] / ||f||, rounded once; those below `smallest` become zero.
    void make_weights(float smallest);
    /// direction[d] = f[d] / ||f||, rounded once, padded with zeros to a multiple of 16.
    void make_direction();

    const std::vector<std::uint32_t>& classes() const { return classes_; }
    const std::vector<double>& shares() const { return shares_; }
    const std::vector<float>& weights() const { return weights_; }
    const std::vector<double>& f() const { return f_; }
    const std::vector<float>& direction() const { return direction_; }
    double length() const { return length_; }

    /// How many of the weights a bound reads, the largest ones, and what the others can add to any unit label's score:
    /// the length of their part of f / ||f||.
    std::size_t n_bound_terms() const { return std::min(weights_.size(), kBoundTerms); }
    double rest() const { return rest_length_ / length_; }
    /// sum_t weights[t] * ||s_t||, before rounding.
    double mass() const { return reach_ / length_; }

  private:
    static constexpr double kShortestLength = 1e-6;  // relative to what f would have if nothing cancelled

    void make_shares();

    std::vector<std::uint32_t> classes_;
    std::vector<double> shares_;  // p_t / Z
    std::vector<double> f_, rest_;
    std::vector<float> rest_shares_;
    std::vector<float> weights_;
    std::vector<float> direction_;
    double length_ = 0, rest_length_ = 0;
    double reach_ = 1;  // sum_t shares[t] * ||s_t||, 1 for unit embeddings
};

inline std::size_t padded(std::size_t dimension) {
    return (dimension + kDotLanes - 1) / kDotLanes * kDotLanes;
}

}  // namespace conse
