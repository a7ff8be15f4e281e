// Runs a test once with the kernels of every target that this CPU supports.
#pragma once

#include <cstdlib>

#include "conse/target.hpp"

namespace conse::testing {

template <class Body>
void for_each_target(const Body& body) {
    for (const std::string& target : supported_targets()) {
        setenv("CONSE_FAST_TARGET", target.c_str(), 1);
        choose_target();
        body();
    }
    unsetenv("CONSE_FAST_TARGET");
    choose_target();
}

}  // namespace conse::testing
