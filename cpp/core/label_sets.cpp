#include "core/label_sets.hpp"

#include <algorithm>
#include <string_view>

#include "core/arguments.hpp"
#include "core/index_data.hpp"
#include "core/message.hpp"

namespace conse {

LabelSets sorted_label_sets(const BuildInput& input, std::size_t n_labels) {
    LabelSets sets;
    const TextView& names = input.label_set_names;
    if (names.offsets == nullptr) {
        if (input.label_sets != nullptr) invalid_argument("label_sets needs label_set_names");
        return sets;
    }
    if (names.count == 0) invalid_argument("label_set_names is empty; leave it out if there are no sets");
    const std::size_t bad = first_bad_name(names);
    if (bad < names.count) {
        const std::string_view name = text_at(names, bad);
        if (name.empty()) invalid_argument("label_sets: set ", bad, " has an empty name");
        invalid_argument("label_sets has two sets named '", name, "'");
    }
    const std::int64_t* offsets = input.label_set_offsets;
    require_memory("label_set_offsets", offsets, names.count + 1);
    for (std::size_t i = 0; i < names.count; ++i) {
        if (offsets[0] == 0 && offsets[i + 1] >= offsets[i]) continue;
        invalid_argument("label_set_offsets must ascend from 0 on, got ", offsets[i], " and ", offsets[i + 1]);
    }
    require_memory("label_sets", input.label_sets, static_cast<std::size_t>(offsets[names.count]));
    sets.offsets.assign(1, 0);
    for (std::size_t i = 0; i < names.count; ++i) {
        const std::string_view name = text_at(names, i);
        if (offsets[i] == offsets[i + 1]) invalid_argument("label_sets: '", name, "' holds no label");
        for (std::int64_t at = offsets[i]; at < offsets[i + 1]; ++at) {
            const std::int64_t label = input.label_sets[at];
            if (label < 0 || label >= static_cast<std::int64_t>(n_labels)) {
                invalid_argument("label_sets: '", name, "' holds ", label, "; expected label ids from 0 to ",
                                 n_labels - 1);
            }
            sets.labels.push_back(static_cast<std::int32_t>(label));
        }
        const auto begin = sets.labels.begin() + sets.offsets.back();
        std::sort(begin, sets.labels.end());
        sets.labels.erase(std::unique(begin, sets.labels.end()), sets.labels.end());
        sets.offsets.push_back(static_cast<std::int64_t>(sets.labels.size()));
    }
    return sets;
}

}  // namespace conse
