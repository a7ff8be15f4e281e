#include "core/xxh64.hpp"

#include <algorithm>
#include <cstring>

namespace conse {
namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87u, kPrime2 = 0xC2B2AE3D27D4EB4Fu, kPrime3 = 0x165667B19E3779F9u,
                        kPrime4 = 0x85EBCA77C2B2AE63u, kPrime5 = 0x27D4EB2F165667C5u;

std::uint64_t rotate_left(std::uint64_t x, int bits) {
    return (x << bits) | (x >> (64 - bits));
}

template <class Word>
Word read(const unsigned char* p) {
    Word word;
    std::memcpy(&word, p, sizeof word);
    return word;
}

std::uint64_t round_of(std::uint64_t lane, std::uint64_t input) {
    return rotate_left(lane + input * kPrime2, 31) * kPrime1;
}

}  // namespace

void Xxh64::consume(const unsigned char* stripe) {
    for (int i = 0; i < 4; ++i) lanes_[i] = round_of(lanes_[i], read<std::uint64_t>(stripe + 8 * i));
}

void Xxh64::update(const void* bytes, std::size_t size) {
    const auto* p = static_cast<const unsigned char*>(bytes);
    total_ += size;
    if (n_pending_ > 0) {
        const std::size_t taken = std::min(size, kStripe - n_pending_);
        std::memcpy(pending_ + n_pending_, p, taken);
        n_pending_ += taken;
        p += taken;
        size -= taken;
        if (n_pending_ < kStripe) return;
        consume(pending_);
        n_pending_ = 0;
    }
    for (; size >= kStripe; p += kStripe, size -= kStripe) consume(p);
    if (size > 0) std::memcpy(pending_, p, size);
    n_pending_ = size;
}

std::uint64_t Xxh64::digest() const {
    std::uint64_t hash = kPrime5;  // seed + prime 5
    if (total_ >= kStripe) {
        hash = rotate_left(lanes_[0], 1) + rotate_left(lanes_[1], 7) + rotate_left(lanes_[2], 12) +
               rotate_left(lanes_[3], 18);
        for (const std::uint64_t lane : lanes_) hash = (hash ^ round_of(0, lane)) * kPrime1 + kPrime4;
    }
    hash += total_;
    const unsigned char* p = pending_;
    std::size_t left = n_pending_;
    for (; left >= 8; left -= 8, p += 8) {
        hash = rotate_left(hash ^ round_of(0, read<std::uint64_t>(p)), 27) * kPrime1 + kPrime4;
    }
    for (; left >= 4; left -= 4, p += 4) {
        hash = rotate_left(hash ^ (read<std::uint32_t>(p) * kPrime1), 23) * kPrime2 + kPrime3;
    }
    for (; left > 0; --left, ++p) hash = rotate_left(hash ^ (*p * kPrime5), 11) * kPrime1;
    hash = (hash ^ (hash >> 33)) * kPrime2;
    hash = (hash ^ (hash >> 29)) * kPrime3;
    return hash ^ (hash >> 32);
}

}  // namespace conse
