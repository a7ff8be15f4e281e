// Bad arguments are std::invalid_argument; files have the two errors below. Every message is complete.
#pragma once

#include <stdexcept>
#include <string>

namespace conse {

/// The operating system refused: `code` is the errno value.
class SystemError : public std::runtime_error {
  public:
    SystemError(int number, const std::string& file, const std::string& message)
        : std::runtime_error(message), code(number), path(file) {}
    int code;
    std::string path;
};

/// A file (or image of one) that is not a whole index; the message names the file and the fact.
class FormatError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace conse
