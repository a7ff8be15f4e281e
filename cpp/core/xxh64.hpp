// XXH64, the checksum of index files: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
#pragma once

#include <cstddef>
#include <cstdint>

namespace conse {

/// The bytes may come in pieces; seed 0.
class Xxh64 {
  public:
    void update(const void* bytes, std::size_t size);
    std::uint64_t digest() const;

  private:
    static constexpr std::size_t kStripe = 32;

    void consume(const unsigned char* stripe);

    std::uint64_t lanes_[4] = {0x60EA27EEADC0B5D6u, 0xC2B2AE3D27D4EB4Fu, 0, 0x61C8864E7A143579u};
    unsigned char pending_[kStripe] = {};
    std::size_t n_pending_ = 0;
    std::uint64_t total_ = 0;
};

}  // namespace conse
