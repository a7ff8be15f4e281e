// Messages put together from parts.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace conse {

template <class... Parts>
std::string concat(const Parts&... parts) {
    std::ostringstream stream;
    (stream << ... << parts);
    return stream.str();
}

template <class... Parts>
[[noreturn]] void invalid_argument(const Parts&... parts) {
    throw std::invalid_argument(concat(parts...));
}

}  // namespace conse
