#include "conse/limits.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <memory>

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
// Enough for a piece to be handed out by itself, whatever it really takes.
constexpr double kMicrosecondsPerChunk = 20;
// Between two checkpoints, a tenth of a second on a slow machine. Not less: at each all threads wait for the last.
constexpr std::size_t kPiecesAtOnce = 128 * kPiecesPerMegabyte;

// A round writes the buffer, reads it for the first time and reads it again.
constexpr int kRounds = 5;
constexpr double kReadingSeconds = 0.3, kMostReadingSeconds = 1;
constexpr double kReadingShare = 0.75;  // of what a checkpoint is told

constexpr std::size_t kRoundsOfMultiplyAdds = 4'000;  // 10 to 20 microseconds
// Short passes, since on a busy machine no long one is left alone; long enough for waking threads not to count.
constexpr double kMultiplyAddSeconds = 0.2, kMultiplyAddPassSeconds = 0.002;

class Stopwatch {
  public:
    double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point started_ = Clock::now();
};

void measure_reading(std::size_t megabytes, const Execution& execution, Limits& limits) {
    const std::size_t n_pieces = megabytes * kPiecesPerMegabyte, size = n_pieces * kPieceFloats * sizeof(float);
    const std::shared_ptr<Image> buffer = Image::allocate(size);  // in large pages, like NumPy's large arrays
    float* values = reinterpret_cast<float*>(buffer->data());
    const Stopwatch stopwatch;
    const auto check = [&] {
        const double share = std::min(1.0, stopwatch.seconds() / kMostReadingSeconds);
        if (execution.checkpoint) execution.checkpoint(kReadingShare * share);
    };
    const auto bytes_per_second = [&](const auto& body) {
        check();
        const Stopwatch pass;
        for (std::size_t first = 0; first < n_pieces; first += kPiecesAtOnce) {
            if (first > 0) check();
            const Work work{std::min(kPiecesAtOnce, n_pieces - first), kMicrosecondsPerChunk};
            parallel_for(work, {limits.n_threads, {}}, [&](std::size_t begin, std::size_t end) {
                body(values + (first + begin) * kPieceFloats, (end - begin) * kPieceFloats);
            });
        }
        return static_cast<double>(size) / pass.seconds();
    };
    int n_rounds = 0;
    const auto write = [&](float* begin, std::size_t n) { std::fill_n(begin, n, static_cast<float>(n_rounds)); };
    const auto read = [](const float* begin, std::size_t n) { kernels().read(begin, n); };
    do {
        bytes_per_second(write);
        const double first = bytes_per_second(read), second = bytes_per_second(read);
        limits.read_once_bytes_per_second = std::max(limits.read_once_bytes_per_second, first);
        limits.bandwidth_bytes_per_second = std::max({limits.bandwidth_bytes_per_second, first, second});
        ++n_rounds;
    } while (stopwatch.seconds() < kReadingSeconds ||
             (n_rounds < kRounds && stopwatch.seconds() < kMostReadingSeconds));
}

std::size_t chunk_of_multiply_adds() {
    float total;
    return kernels().multiply_adds(kRoundsOfMultiplyAdds, 1, &total);
}

double seconds_per_chunk() {
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 20; ++i) {
        const Stopwatch stopwatch;
        chunk_of_multiply_adds();
        least = std::min(least, stopwatch.seconds());
    }
    return least;
}

void measure_multiply_adds(const Execution& execution, Limits& limits) {
    const double chunks_per_thread = std::max(1.0, kMultiplyAddPassSeconds / seconds_per_chunk());
    const std::size_t n_chunks = static_cast<std::size_t>(limits.n_threads * chunks_per_thread);
    const Stopwatch stopwatch;
    for (double elapsed = 0; elapsed < kMultiplyAddSeconds; elapsed = stopwatch.seconds()) {
        if (execution.checkpoint) {
            execution.checkpoint(kReadingShare + (1 - kReadingShare) * elapsed / kMultiplyAddSeconds);
        }
        std::atomic<std::size_t> done{0};
        const Stopwatch pass;
        parallel_for({n_chunks, kMicrosecondsPerChunk}, {limits.n_threads, {}},
                     [&](std::size_t begin, std::size_t end) {
                         for (std::size_t i = begin; i < end; ++i) done += chunk_of_multiply_adds();
                     });
        const double per_second = static_cast<double>(done) / pass.seconds();
        limits.multiply_adds_per_second = std::max(limits.multiply_adds_per_second, per_second);
    }
}

}  // namespace

Limits measure_limits(std::size_t megabytes, const Execution& execution) {
    if (megabytes < 1 || megabytes > kMostMegabytes) {
        invalid_argument("megabytes must be between 1 and ", kMostMegabytes, ", got ", megabytes);
    }
    const int n_threads = threads_for({megabytes * kPiecesPerMegabyte, kMicrosecondsPerChunk}, execution);
    Limits limits{0, 0, 0, n_threads, current_target()};
    measure_reading(megabytes, execution, limits);
    measure_multiply_adds(execution, limits);
    return limits;
}

}  // namespace conse
