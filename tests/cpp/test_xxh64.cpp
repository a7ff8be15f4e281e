#include "check.hpp"
#include "core/xxh64.hpp"

namespace conse {
namespace {

std::vector<unsigned char> counting_bytes(std::size_t count) {
    std::vector<unsigned char> bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<unsigned char>(i);
    return bytes;
}

std::uint64_t hash_of(const std::vector<unsigned char>& bytes, std::size_t piece) {
    Xxh64 hash;
    for (std::size_t i = 0; i < bytes.size(); i += piece)
        hash.update(bytes.data() + i, std::min(piece, bytes.size() - i));
    return hash.digest();
}

CONSE_TEST(known_values, "xxh64.equals the reference implementation") {
    CHECK(hash_of({}, 1) == 0xef46db3751d8e999u);
    CHECK(hash_of({'a'}, 1) == 0xd24ec4f1a98c6e5bu);
    CHECK(hash_of({'a', 'b', 'c'}, 3) == 0x44bc2cf5ad770999u);
    CHECK(hash_of(counting_bytes(31), 31) == 0xc346d2b59b4d8ee1u);
    CHECK(hash_of(counting_bytes(32), 32) == 0xcbf59c5116ff32b4u);
    CHECK(hash_of(counting_bytes(101), 101) == 0xe99038495f85381eu);
}

CONSE_TEST(pieces, "xxh64.does not depend on the pieces") {
    const auto bytes = counting_bytes(101);
    for (const std::size_t piece : {1, 2, 7, 31, 32, 33, 64, 100}) CHECK(hash_of(bytes, piece) == hash_of(bytes, 101));
}

}  // namespace
}  // namespace conse
