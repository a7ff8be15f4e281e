#include "core/likeness.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "conse/primitives.hpp"
#include "core/even_sample.hpp"
#include "core/parallel.hpp"
#include "kernels/kernels.hpp"

namespace conse {
namespace {

// A search reads a block if its maxima, in shares of the kept classes, add up to the k-th best score. So a maximum
// costs the more searches the higher it is: exp(cosine / kScale), and all rows together cost each class as much. Scales
// from 0.05 to 0.1 change what is read by 3 % at most.
constexpr double kScale = 0.07;

// The classes that rows are most like.
class Likeness {
  public:
    Likeness(const MatrixView& classes, const float* units, const std::vector<std::uint32_t>& rows,
             const Execution& execution)
        : classes_(classes), units_(units), rows_(rows), shares_(classes.rows) {
        constexpr std::size_t kSample = 16384;  // with 4,096 searches read 1.02 times as much
        const std::vector<std::uint32_t> sample = even_sample(rows.data(), rows.size(), kSample);
        std::vector<Term> costs = nearest(sample, execution);
        std::vector<double> sums(classes.rows);
        for (const Term& term : costs) sums[term.class_id] += static_cast<double>(term.cost);
        for (std::size_t c = 0; c < sums.size(); ++c) shares_[c] = sums[c] > 0 ? 1 / sums[c] : 0;
        if (sample.size() == rows.size()) costs_ = std::move(costs);
    }

    TermTable terms(const Execution& execution) const {
        constexpr std::size_t kTerms = 32, kAtOnce = 1024;
        TermTable table(rows_.size(), kTerms);
        const double products = static_cast<double>(kAtOnce * classes_.rows * classes_.columns);
        parallel_for({(rows_.size() + kAtOnce - 1) / kAtOnce, 2e-5 * products}, execution,
                     [&](std::size_t begin, std::size_t end) {
                         for (std::size_t i = begin; i < end; ++i) {
                             set_terms(i * kAtOnce, std::min(rows_.size(), (i + 1) * kAtOnce), table);
                         }
                     });
        return table;
    }

  private:
    // Of these the terms are those that cost most, since some classes are like many rows: without, searches read 1.02
    // (300 dimensions) and 1.04 times as much (50).
    std::size_t n_nearest() const { return std::min<std::size_t>(96, classes_.rows); }

    // What these rows cost, before the share of the class: (rows, n_nearest).
    std::vector<Term> nearest(const std::vector<std::uint32_t>& rows, const Execution& execution) const {
        const std::size_t dimension = classes_.columns, k = n_nearest();
        std::vector<float> units(rows.size() * dimension), cosines(rows.size() * k);
        std::vector<std::int64_t> ids(rows.size() * k);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            std::copy_n(units_ + rows[i] * dimension, dimension, units.data() + i * dimension);
        }
        cosine_rank(matrix_view(units.data(), rows.size(), dimension), classes_, {}, {cosines.data(), ids.data(), k},
                    execution);
        std::vector<Term> terms(ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (ids[i] < 0) continue;  // some classes have no direction
            terms[i].class_id = static_cast<std::uint32_t>(ids[i]);
            terms[i].cost = static_cast<float>(std::exp((static_cast<double>(cosines[i]) - 1) / kScale));
        }
        return terms;
    }

    void set_terms(std::size_t begin, std::size_t end, TermTable& table) const {
        Execution serial;
        serial.n_threads = 1;
        std::vector<Term> costs, of_row;
        if (costs_.empty()) costs = nearest({rows_.data() + begin, rows_.data() + end}, serial);
        const Term* own = costs_.empty() ? costs.data() : costs_.data() + begin * n_nearest();
        for (std::size_t i = begin; i < end; ++i, own += n_nearest()) {
            of_row.assign(own, own + n_nearest());
            for (Term& term : of_row) {
                term.cost = static_cast<float>(static_cast<double>(term.cost) * shares_[term.class_id]);
            }
            table.set(i, of_row);
        }
    }

    const MatrixView& classes_;
    const float* const units_;
    const std::vector<std::uint32_t>& rows_;
    std::vector<double> shares_;  // (classes) 1 / what rows cost it together
    std::vector<Term> costs_;     // (rows, n_nearest), if the sample is all rows
};

}  // namespace

TermTable terms_of_rows(const MatrixView& classes, const float* units, const std::vector<std::uint32_t>& rows,
                        const Execution& execution) {
    return Likeness(classes, units, rows, stage(execution, 0, 0)).terms(execution);
}

TermTable terms_of_blocks(const TermTable& rows, const std::vector<std::uint32_t>& order, std::size_t n_classes) {
    constexpr std::size_t kTerms = 128;  // with 64 or 256 searches read as much within 0.5 %
    const std::size_t n_blocks = order.size() / kBlockRows;
    TermTable table(n_blocks, kTerms);
    std::vector<Term> of_block;
    for (std::size_t block = 0; block < n_blocks; ++block) {
        std::vector<float> highest(n_classes);
        for (std::size_t lane = 0; lane < kBlockRows; ++lane) {
            for (const Term& term : rows[order[block * kBlockRows + lane]]) {
                highest[term.class_id] = std::max(highest[term.class_id], term.cost);
            }
        }
        of_block.clear();
        for (std::uint32_t c = 0; c < n_classes; ++c) {
            if (highest[c] > 0) of_block.push_back({c, highest[c]});
        }
        table.set(block, of_block);
    }
    return table;
}

}  // namespace conse
