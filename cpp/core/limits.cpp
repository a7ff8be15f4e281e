#include "conse/limits.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>

#include <sys/mman.h>

#include "conse/target.hpp"
#include "core/dispatch.hpp"
#include "core/image.hpp"
#include "core/message.hpp"
#include "core/parallel.hpp"

namespace conse {
namespace {

constexpr std::size_t kMostMegabytes = 16'384;

// 200 kB, whole cache lines: read in some 10 microseconds. As many as make a megabyte.
constexpr std::size_t kPieceFloats = 50'000, kPiecesPerMegabyte = 5;
// Enough for a piece to be a chunk of its own, whatever it really takes.
constexpr double kMicrosecondsPerPiece = 20;

// A round writes the buffer, reads it for the first time and reads it again.
constexpr int kRounds = 5, kPassesPerRound = 3;
constexpr double kReadingSeconds = 1;   // no round begins later
constexpr double kReadingShare = 0.75;  // of what a checkpoint is told

constexpr std::size_t kRoundsOfMultiplyAdds = 4'000;  // 10 to 20 microseconds
constexpr double kMultiplyAddSeconds = 0.2, kMultiplyAddPassSeconds = 0.01;

class Stopwatch {
  public:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point started_ = Clock::now();
};

// NumPy asks for huge pages for its large arrays, and so does this buffer, which stands for one.
std::shared_ptr<Image> allocate_like_numpy(std::size_t size) {
    std::shared_ptr<Image> buffer = Image::allocate(size);
#if defined(MADV_HUGEPAGE)
    ::madvise(buffer->data(), size, MADV_HUGEPAGE);
#endif
    return buffer;
}

void measure_reading(std::size_t megabytes, const Execution& execution, Limits& limits) {
    const Work pieces{megabytes * kPiecesPerMegabyte, kMicrosecondsPerPiece};
    const std::size_t size = pieces.items * kPieceFloats * sizeof(float);
    const std::shared_ptr<Image> buffer = allocate_like_numpy(size);
    float* values = reinterpret_cast<float*>(buffer->data());
    int n_passes = 0;
    const auto bytes_per_second = [&](const auto& body) {
        constexpr double kShare = kReadingShare / (kRounds * kPassesPerRound);
        const Execution within = stage(execution, kShare * n_passes, kShare * (n_passes + 1));
        ++n_passes;
        const Stopwatch stopwatch;
        parallel_for(pieces, within, [&](std::size_t begin, std::size_t end) {
            body(values + begin * kPieceFloats, (end - begin) * kPieceFloats);
        });
        return static_cast<double>(size) / stopwatch.seconds();
    };
    const auto write = [&](float* begin, std::size_t n) { std::fill_n(begin, n, static_cast<float>(n_passes)); };
    const auto read = [](const float* begin, std::size_t n) { kernels().read(begin, n); };
    const Stopwatch stopwatch;
    for (int round = 0; round < kRounds && (round == 0 || stopwatch.seconds() < kReadingSeconds); ++round) {
        bytes_per_second(write);
        const double first = bytes_per_second(read), second = bytes_per_second(read);
        limits.read_once_bytes_per_second = std::max(limits.read_once_bytes_per_second, first);
        limits.bandwidth_bytes_per_second = std::max({limits.bandwidth_bytes_per_second, first, second});
    }
}

void measure_multiply_adds(const Execution& execution, Limits& limits) {
    std::size_t n_chunks = 8 * static_cast<std::size_t>(limits.n_threads);
    const Stopwatch stopwatch;
    for (double elapsed = 0; elapsed < kMultiplyAddSeconds; elapsed = stopwatch.seconds()) {
        if (execution.checkpoint) {
            execution.checkpoint(kReadingShare + (1 - kReadingShare) * elapsed / kMultiplyAddSeconds);
        }
        std::atomic<std::size_t> done{0};
        const Stopwatch pass;
        parallel_for({n_chunks, 20}, {limits.n_threads, {}}, [&](std::size_t begin, std::size_t end) {
            float total;
            for (std::size_t i = begin; i < end; ++i) done += kernels().multiply_adds(kRoundsOfMultiplyAdds, 1, &total);
        });
        const double seconds = pass.seconds();
        limits.multiply_adds_per_second =
            std::max(limits.multiply_adds_per_second, static_cast<double>(done) / seconds);
        if (seconds < kMultiplyAddPassSeconds) n_chunks *= 2;  // waking the threads must not count
    }
}

}  // namespace

Limits measure_limits(std::size_t megabytes, const Execution& execution) {
    if (megabytes < 1 || megabytes > kMostMegabytes) {
        invalid_argument("megabytes must be between 1 and ", kMostMegabytes, ", got ", megabytes);
    }
    const int n_threads = threads_for({megabytes * kPiecesPerMegabyte, kMicrosecondsPerPiece}, execution);
    Limits limits{0, 0, 0, n_threads, current_target()};
    measure_reading(megabytes, execution, limits);
    measure_multiply_adds(execution, limits);
    return limits;
}

}  // namespace conse
