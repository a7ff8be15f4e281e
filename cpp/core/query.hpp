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
    // Classes without a vector whose places among the kept ones the next classes take, ascending.
    const std::uint32_t* refilled = nullptr;
    std::size_t n_refilled = 0;
    // The product of class c with each class up to itself from n_products(c) on; or null. Of unit rows only.
    const float* products = nullptr;

    static constexpr std::size_t n_products(std::size_t n_classes) { return n_classes * (n_classes + 1) / 2; }
    float product(std::size_t a, std::size_t b) const { return products[n_products(std::max(a, b)) + std::min(a, b)]; }
};

// A block costs a line of the cache for each kept class, far from each other, or one for each dimension, all in a row.
constexpr std::size_t kDimensionsPerTerm = 6;

/// Whether a label's score costs less by the table of class x label scores than by its embedding.
inline bool table_is_shorter(std::size_t n_terms, std::size_t dimension) {
    return n_terms == 1 || n_terms * kDimensionsPerTerm <= dimension;
}

// Each pair of kept classes costs a line of their products, each class one for 16 dimensions of its embedding. What the
// former saves (300 dimensions, one thread): a query takes 0.84 of the time with T = 10, 0.94 with 16, 1.04 with 24.
constexpr std::size_t kDimensionsPerProduct = 16;

/// Whether the length of f costs less by the products of its classes than by their embeddings.
inline bool products_are_shorter(std::size_t n_terms, std::size_t dimension) {
    return n_terms <= kBoundTerms && n_terms * kDimensionsPerProduct <= dimension;
}

/// Whether `n_kept` classes are all there are, and f is combined from a row with a share for each: a product of
/// matrices for several images. Depends on the index and T alone.
inline bool combines_all(const ClassEmbeddings& classes, std::size_t n_kept) {
    return n_kept >= classes.n_classes && classes.n_classes > kBoundTerms && classes.dimension >= kDenseLanes &&
           !table_is_shorter(classes.n_classes, classes.dimension);
}

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
    /// Takes the weights of all n classes as they come, where combines_all(); `first` are the kBoundTerms largest. To
    /// the bits of set_weights.
    template <class Value, class Element>
    void set_all_weights(const KernelTable& kernels, const std::vector<Entry<Value>>& first, const Element* row,
                         std::size_t n);

    /// f = sum_t shares[t] * s_t and its length, for `count` queries of the same T.
    static void combine(const KernelTable& kernels, const ClassEmbeddings& classes, Query* queries, std::size_t count);
    /// The length of f alone, for `count` queries, where nothing else of it is asked for: where the index and T allow
    /// it from the products of the classes, else with f.
    static void find_lengths(const KernelTable& kernels, const ClassEmbeddings& classes, Query* queries,
                             std::size_t count);
    static constexpr std::size_t kAtOnce = 8;  // those that the widest kernel multiplies at once

    /// Whether f points anywhere: false when all weights are zero or the embeddings cancel, or when next to all of the
    /// weight is that of classes without a vector, whose length is 0 too.
    bool has_direction() const { return length_ > std::max(kShortestLength * reach_, kLeastLength); }

    /// What f is divided by before scores are formed: its length for cosines, the default, or 1 for dot products.
    void use_dot(bool dot) { dot_ = dot; }
    bool uses_dot() const { return dot_; }

    /// weights[t] = shares[t] / divisor, rounded once; those below `smallest` become zero.
    void make_weights(float smallest);
    /// direction[d] = f[d] / divisor, rounded once, padded with zeros to a multiple of 16.
    void make_direction();

    const std::vector<std::uint32_t>& classes() const { return classes_; }
    const std::vector<float>& weights() const { return weights_; }
    const std::vector<double>& f() const { return f_; }
    const std::vector<float>& direction() const { return direction_; }
    double length() const { return length_; }
    /// f . s of the first class.
    double product_with_first(const ClassEmbeddings& classes) const;

    /// How many of the weights a bound reads, the largest ones, and what the others can add to any unit label's score:
    /// the length of their part of f / divisor.
    std::size_t n_bound_terms() const { return std::min(weights_.size(), kBoundTerms); }
    double rest() const { return rest_length_ / divisor(); }
    /// sum_t weights[t] * ||s_t||, before rounding.
    double mass() const { return reach_ / divisor(); }

  private:
    static constexpr double kShortestLength = 1e-6;  // relative to what f would have if nothing cancelled
    static constexpr double kLeastLength = 1e-30;    // weights[t] stay within float32, and squares within float64

    template <class Value>
    void take(const std::vector<Entry<Value>>& kept, const RowScale& scale);
    double total_of_rest() const;
    double normalize(double total_of_rest);
    void make_row(std::size_t n_classes);
    void combine_first(const KernelTable& kernels, const ClassEmbeddings& classes);
    void combine_rest(const KernelTable& kernels, const ClassEmbeddings& classes);
    static void combine_rows(const KernelTable& kernels, const ClassEmbeddings& classes, Query* queries,
                             std::size_t count);
    void measure(const KernelTable& kernels, const ClassEmbeddings& classes);
    bool measure_by_products(const KernelTable& kernels, const ClassEmbeddings& classes);

    double divisor() const { return dot_ ? 1 : length_; }

    bool dot_ = false;
    bool has_f_ = false;  // else its length alone is known
    std::size_t n_kept_ = 0;
    bool is_row_ = false;  // only the first are listed, and rest_shares_ has a share for every class
    std::vector<std::uint32_t> classes_;
    std::vector<double> shares_;  // p_t / Z
    std::vector<float> rest_shares_;
    std::vector<double> f_, rest_;
    std::vector<float> weights_;
    std::vector<float> direction_;
    double length_ = 0, rest_length_ = 0;
    double reach_ = 1;  // sum_t shares[t] * ||s_t||, 1 for unit embeddings
};

inline std::size_t padded(std::size_t dimension) {
    return (dimension + kDotLanes - 1) / kDotLanes * kDotLanes;
}

}  // namespace conse
