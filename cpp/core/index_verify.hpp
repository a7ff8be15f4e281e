// The thorough look at an index that opening it leaves out.
#pragma once

#include "conse/execution.hpp"
#include "core/index_data.hpp"

namespace conse {

/// Reads everything: checksum, ids, offsets, finite values, maxima. `name` is for messages. Throws
/// FormatError.
void verify_index(const IndexData& index, const std::string& name, const Execution& execution);

}  // namespace conse
