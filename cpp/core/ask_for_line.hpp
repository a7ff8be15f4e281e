// Asks the memory for what will be read soon.
#pragma once

namespace conse {

/// The line of the cache that holds this address. The empty statement keeps a function that does nothing else from
/// being taken for one without effect: GCC 12 left such calls out, and with them every line a search asked for.
inline void ask_for_line(const void* address) {
    __builtin_prefetch(address);
    asm volatile("");
}

}  // namespace conse
