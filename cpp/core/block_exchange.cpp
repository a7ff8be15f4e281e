#include "core/block_exchange.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>

#include "core/cost_terms.hpp"
#include "core/likeness.hpp"
#include "core/parallel.hpp"
#include "kernels/kernels.hpp"

namespace conse {
namespace {

// Consecutive groups, of `capacity` members each but for the last: blocks of rows, or tiles of blocks.
class Exchange {
  public:
    Exchange(const TermTable& terms, std::size_t n_classes, std::size_t capacity, std::uint32_t* members,
             std::size_t n_members)
        : terms_(terms),
          capacity_(capacity),
          members_(members),
          n_members_(n_members),
          n_groups_((n_members + capacity - 1) / capacity),
          n_classes_(n_classes),
          maxima_(n_groups_ * n_classes),
          highest_(n_classes * n_groups_),
          own_(n_classes),
          added_(n_groups_),
          saved_(n_members) {
        for (std::size_t group = 0; group < n_groups_; ++group) enter(group);
    }

    // Looks at each place once, and exchanges its member for the one with which most is saved.
    void run() {
        for (std::size_t place = 0; place < n_members_; ++place) {
            if (saved_[place] <= 0) continue;
            const std::size_t other = best_exchange(place);
            if (other == place) continue;
            const std::size_t a = place / capacity_, b = other / capacity_;
            leave(a);
            leave(b);
            std::swap(members_[place], members_[other]);
            enter(a);
            enter(b);
        }
    }

  private:
    // Groups that are looked at for a member: with 2 a search scores 1.02 times as many blocks.
    static constexpr std::size_t kCandidates = 3;

    struct Maximum {
        float highest = 0, second = 0;

        // What it would be if the term's owner, a member, left.
        float without(const Term& term) const { return term.cost == highest ? second : highest; }
    };

    TermTable::Terms terms(std::size_t place) const { return terms_[members_[place]]; }
    std::size_t end_of(std::size_t group) const { return std::min(n_members_, (group + 1) * capacity_); }
    const Maximum& maximum(std::size_t group, const Term& term) const {
        return maxima_[group * n_classes_ + term.class_id];
    }
    void set_maximum(std::size_t group, const Term& term, const Maximum& maximum) {
        maxima_[group * n_classes_ + term.class_id] = maximum;
        highest_[term.class_id * n_groups_ + group] = maximum.highest;
    }

    void enter(std::size_t group) {
        const std::size_t first = group * capacity_, end = end_of(group);
        for (std::size_t place = first; place < end; ++place) {
            for (const Term& term : terms(place)) {
                const auto [highest, second] = maximum(group, term);
                set_maximum(group, term,
                            {std::max(highest, term.cost), std::max(second, std::min(highest, term.cost))});
            }
        }
        for (std::size_t place = first; place < end; ++place) {
            saved_[place] = 0;
            for (const Term& term : terms(place)) {
                saved_[place] += maximum(group, term).highest - maximum(group, term).without(term);
            }
        }
    }

    void leave(std::size_t group) {
        for (std::size_t place = group * capacity_; place < end_of(group); ++place) {
            for (const Term& term : terms(place)) set_maximum(group, term, {});
        }
    }

    std::size_t best_exchange(std::size_t place) {
        find_added(place);
        for (const Term& term : terms(place)) own_[term.class_id] += term.cost;
        std::size_t best = place;
        float least = -1e-4f * saved_[place];  // what is nearer to zero may be a rounding
        for (const std::size_t group : candidates(place / capacity_)) {
            if (group == n_groups_) break;
            const float moved = added_[group] - saved_[place];
            for (std::size_t other = group * capacity_; other < end_of(group); ++other) {
                if (moved - saved_[other] >= least) continue;
                const float change = moved + change_by(other, group, place / capacity_);
                if (change >= least) continue;
                least = change;
                best = other;
            }
        }
        for (const Term& term : terms(place)) own_[term.class_id] = 0;
        return best;
    }

    // What the member would add to each group as one more.
    void find_added(std::size_t place) {
        std::fill(added_.begin(), added_.end(), 0.0f);
        for (const Term& term : terms(place)) {
            const float* highest = highest_.data() + term.class_id * n_groups_;
            for (std::size_t group = 0; group < n_groups_; ++group) {
                added_[group] += std::max(0.0f, term.cost - highest[group]);
            }
        }
    }

    // The groups to which it would add least, none of them its own; n_groups_ for those that there are not.
    std::array<std::size_t, kCandidates> candidates(std::size_t own) const {
        std::array<std::size_t, kCandidates> least;
        least.fill(n_groups_);
        for (std::size_t group = 0; group < n_groups_; ++group) {
            if (group == own) continue;
            std::size_t candidate = group;
            for (std::size_t& other : least) {
                if (other == n_groups_ || added_[candidate] < added_[other]) std::swap(candidate, other);
                if (candidate == n_groups_) break;
            }
        }
        return least;
    }

    // What changes beside, if `other` leaves `group` for the member that is looked at, and enters that one's.
    float change_by(std::size_t other, std::size_t group, std::size_t group_of_own) const {
        float change = 0;
        for (const Term& term : terms(other)) {
            const Term own{term.class_id, own_[term.class_id]};
            const Maximum& left = maximum(group, term);
            change += std::max(left.without(term), own.cost) - std::max(left.highest, own.cost) +
                      std::max(0.0f, term.cost - maximum(group_of_own, own).without(own));
        }
        return change;
    }

    const TermTable& terms_;
    const std::size_t capacity_;
    std::uint32_t* const members_;
    const std::size_t n_members_, n_groups_, n_classes_;
    std::vector<Maximum> maxima_;  // (groups, classes)
    std::vector<float> highest_;   // (classes, groups): these once more, as find_added reads them
    std::vector<float> own_;       // (classes) costs of the member that is looked at
    std::vector<float> added_;     // (groups) by it
    std::vector<float> saved_;     // (members) if one left its group
};

// Exchanges within ranges of groups, which every other time end in the middle of those of the time before: with so many
// groups searches read 1.01 times as much as with 1,024, and with twice as many passes 0.99. Where classes are many,
// ranges are shorter, so that the maxima of a thread take 25 MB at most.
void exchange(const TermTable& terms, std::size_t n_classes, std::size_t capacity, std::vector<std::uint32_t>& members,
              const Execution& execution) {
    constexpr std::size_t kPasses = 3, kMostGroups = 256, kMostMaxima = std::size_t{1} << 21;
    const std::size_t n_groups = std::clamp<std::size_t>(kMostMaxima / n_classes, 2, kMostGroups);
    const std::size_t size = n_groups * capacity;
    for (std::size_t pass = 0; pass < kPasses; ++pass) {
        const std::size_t shift = pass % 2 * (n_groups / 2) * capacity;
        const auto begin_of = [&](std::size_t range) {
            return std::min(members.size(), std::max(range * size, shift) - shift);
        };
        const auto share = [](std::size_t passes) { return static_cast<double>(passes) / kPasses; };
        parallel_for({(members.size() + shift + size - 1) / size, 20.0 * static_cast<double>(size)},
                     stage(execution, share(pass), share(pass + 1)), [&](std::size_t begin, std::size_t end) {
                         for (std::size_t range = begin; range < end; ++range) {
                             const std::size_t first = begin_of(range), n = begin_of(range + 1) - first;
                             Exchange(terms, n_classes, capacity, members.data() + first, n).run();
                         }
                     });
    }
}

std::vector<std::uint32_t> numbers_below(std::size_t n) {
    std::vector<std::uint32_t> numbers(n);
    std::iota(numbers.begin(), numbers.end(), 0u);
    return numbers;
}

}  // namespace

void exchange_between_blocks(const MatrixView& classes, const float* units, std::vector<std::uint32_t>& rows,
                             const Execution& execution) {
    if (rows.size() <= kBlockRows) return;
    const TermTable terms = terms_of_rows(classes, units, rows, stage(execution, 0, 0.3));
    std::vector<std::uint32_t> order = numbers_below(rows.size());
    exchange(terms, classes.rows, kBlockRows, order, stage(execution, 0.3, 0.9));
    // A block that is not full stays the last.
    std::vector<std::uint32_t> blocks = numbers_below(rows.size() / kBlockRows);
    exchange(terms_of_blocks(terms, order, classes.rows), classes.rows, kFanOut, blocks, stage(execution, 0.9, 1));
    const std::vector<std::uint32_t> before = rows;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::size_t block = i / kBlockRows;
        rows[i] = before[order[block < blocks.size() ? blocks[block] * kBlockRows + i % kBlockRows : i]];
    }
}

}  // namespace conse
