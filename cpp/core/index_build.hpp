// From embeddings and names to the image of an index.
#pragma once

#include <memory>

#include "conse/index.hpp"
#include "core/index_data.hpp"

namespace conse {

std::shared_ptr<const IndexData> build_index(const BuildInput& input, const BuildOptions& options,
                                             const Execution& execution);

}  // namespace conse
