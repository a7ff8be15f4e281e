#include "core/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <utility>

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(_OPENMP)
#include <omp.h>
#endif

#include "core/message.hpp"

namespace conse {
namespace {

// Waking a thread costs some microseconds; below this a second one does not pay.
constexpr double kMicrosecondsWorthAThread = 25;
// One chunk is this long: short enough to share evenly, long enough to make its bookkeeping vanish. Of little work each
// thread still gets some chunks.
constexpr double kMicrosecondsPerChunk = 20;
constexpr std::size_t kFewestChunksPerThread = 4;
// Between two checkpoints the calling thread works about this long, so that Ctrl-C feels immediate; before the first
// one less, since a long call may consist of many short ones.
constexpr std::chrono::milliseconds kBetweenCheckpoints{20}, kBeforeTheFirst{1};

using Clock = std::chrono::steady_clock;

// A parallel region in a forked child of a process that used one hangs in libgomp, so a child stays serial.
std::atomic<bool> in_forked_child{false};
const int fork_handler = pthread_atfork(nullptr, nullptr, [] { in_forked_child = true; });

std::size_t items_in(double microseconds, const Work& work) {
    const double count = microseconds / std::max(work.microseconds, 1e-3);
    return static_cast<std::size_t>(std::clamp(count, 1.0, 1e15));
}

// Keeps the exception of the lowest range: ranges above it need not run any more, those below it still must.
class FirstError {
  public:
    bool makes_needless(std::size_t begin) const { return begin > begin_.load(std::memory_order_relaxed); }
    void keep(std::size_t begin, std::exception_ptr error) {
        const std::lock_guard<std::mutex> guard(mutex_);
        if (begin >= begin_) return;
        begin_ = begin;
        error_ = std::move(error);
    }
    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    std::mutex mutex_;
    std::atomic<std::size_t> begin_{std::numeric_limits<std::size_t>::max()};
    std::exception_ptr error_;
};

// Looks up by the clock, between the chunks of the calling thread, while the others go on: a region that ends at every
// checkpoint, where threads wait for each other, took 1.02 (1,024 rows) to 1.03 times as long (4,096).
class Checkpoints {
  public:
    explicit Checkpoints(const Execution& execution) : call_(execution.checkpoint) {}

    bool due(Clock::time_point now) const { return call_ && now >= next_; }
    void pass(double share) {
        call_(share);
        next_ = Clock::now() + kBetweenCheckpoints;
    }

  private:
    const std::function<void(double)>& call_;
    Clock::time_point next_ = Clock::now() + kBeforeTheFirst;
};

#if defined(_OPENMP)
int affinity_threads() {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return 1 << 16;  // more than 1,024 CPUs, or another system: OpenMP's own count decides
}

// Notices when another process keeps a CPU busy. libgomp waits at the end for every thread of the team, also for one
// that has had nothing to do because it never got a CPU, and by default keeps the CPU busy while it waits: a batch of
// 64 us then takes milliseconds. Who has waited in vain works alone for six times as long as that, so that waiting
// never costs more than a sixth. (Longer pauses outlast the cause: the idle threads of PyTorch or ONNX Runtime keep a
// CPU busy for some milliseconds.) Waiting for a chunk as long as this thread's own is not in vain: where a few
// searches give up and the others are not tried, that is most of the time.
class Contention {
  public:
    bool works_alone() const { return alone_until_ != 0 && Clock::now().time_since_epoch().count() < alone_until_; }

    /// A team took from `begin` to now, and this thread waited from `waiting` on; its longest chunk took `longest`.
    void note(Clock::time_point begin, Clock::time_point waiting, Clock::duration longest) {
        const Clock::time_point end = Clock::now();
        const bool in_vain = end - waiting >= std::max<Clock::duration>({kShortWait, (end - begin) / 3, 2 * longest});
        const Clock::duration alone = std::min<Clock::duration>(6 * (end - waiting), kLongest);
        if (in_vain || alone_until_ != 0) alone_until_ = in_vain ? (end + alone).time_since_epoch().count() : 0;
    }

  private:
    static constexpr std::chrono::microseconds kShortWait{100};
    static constexpr std::chrono::milliseconds kLongest{20};

    std::atomic<Clock::rep> alone_until_{0};
};

Contention contention;

// Hands out chunks: to each thread a stretch of its own from end to end, then what is left of the others'. What a
// thread reads in repeated calls is then what its cache still holds: 4 MB of labels take 0.9 of the time that they take
// when the next chunk goes to whoever comes, as OpenMP has it, and batches of 1,024 rows, which a prefetcher follows,
// 0.97.
class Stretches {
  public:
    Stretches(std::size_t n_chunks, int n_threads) : count_(std::min(static_cast<std::size_t>(n_threads), kMost)) {
        for (std::size_t i = 0; i < count_; ++i) {
            stretches_[i].next = i * n_chunks / count_;
            stretches_[i].end = (i + 1) * n_chunks / count_;
        }
    }

    template <class Body>
    void for_each(int thread, const Body& body) {
        for (std::size_t i = 0; i < count_; ++i) {
            Stretch& stretch = stretches_[(static_cast<std::size_t>(thread) + i) % count_];
            for (std::size_t chunk; (chunk = stretch.next.fetch_add(1, std::memory_order_relaxed)) < stretch.end;) {
                body(chunk);
            }
        }
    }

    std::size_t handed_out() const {
        std::size_t n = 0, begin = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            n += std::min(stretches_[i].next.load(std::memory_order_relaxed), stretches_[i].end) - begin;
            begin = stretches_[i].end;
        }
        return n;
    }

  private:
    static constexpr std::size_t kMost = 64;  // more threads share them
    struct alignas(64) Stretch {
        std::atomic<std::size_t> next;
        std::size_t end;
    };

    const std::size_t count_;
    Stretch stretches_[kMost];
};

void run_on_threads(std::size_t begin, std::size_t end, std::size_t grain, int n_threads, const void* body,
                    detail::RangeFunction call, Checkpoints& checkpoints) {
    FirstError error;
    const std::size_t n_chunks = (end - begin + grain - 1) / grain;
    Stretches stretches(n_chunks, n_threads);
    const Clock::time_point started = Clock::now();
    Clock::time_point waiting = started;
    Clock::duration longest{0};
    const auto look_up = [&] {
        const std::size_t n = stretches.handed_out();
        if (n == n_chunks) return;
        checkpoints.pass(static_cast<double>(begin + n * grain) / static_cast<double>(end));
        waiting = Clock::now();
    };
#pragma omp parallel num_threads(n_threads)
    {
        const int thread = omp_get_thread_num();
        Clock::time_point chunk_began = started;
        stretches.for_each(thread, [&](std::size_t chunk) {
            const std::size_t first = begin + chunk * grain;
            if (error.makes_needless(first)) return;
            try {
                call(body, first, std::min(first + grain, end));
            } catch (...) {
                error.keep(first, std::current_exception());
            }
            if (thread != 0) return;
            waiting = Clock::now();
            longest = std::max(longest, waiting - chunk_began);
            try {
                if (checkpoints.due(waiting)) look_up();
            } catch (...) {
                error.keep(0, std::current_exception());
            }
            chunk_began = waiting;
        });
    }
    if (n_threads <= affinity_threads()) contention.note(started, waiting, longest);
    error.rethrow();
}
#endif

void run(std::size_t n_items, std::size_t grain, [[maybe_unused]] int n_threads, const void* body,
         detail::RangeFunction call, Checkpoints& checkpoints) {
    for (std::size_t begin = 0; begin < n_items;) {
#if defined(_OPENMP)
        if (n_threads > 1 && !contention.works_alone()) {
            return run_on_threads(begin, n_items, grain, n_threads, body, call, checkpoints);
        }
#endif
        const std::size_t end = std::min(begin + grain, n_items);
        call(body, begin, end);
        begin = end;
        if (begin < n_items && checkpoints.due(Clock::now())) {
            checkpoints.pass(static_cast<double>(begin) / static_cast<double>(n_items));
        }
    }
}

// libgomp ends the process when the system refuses it a thread, so a generous wish is not passed on.
int most_threads() {
#if defined(_OPENMP)
    return 4 * affinity_threads();
#else
    return 1;
#endif
}

}  // namespace

int max_threads() {
    if (fork_handler != 0 || in_forked_child) return 1;
#if defined(_OPENMP)
    return std::max(1, std::min(omp_get_max_threads(), affinity_threads()));
#else
    return 1;
#endif
}

Execution stage(const Execution& execution, double from, double to) {
    if (!execution.checkpoint) return execution;
    return {execution.n_threads,
            [&execution, from, to](double done) { execution.checkpoint(from + done * (to - from)); }};
}

int threads_for(const Work& work, const Execution& execution) {
    if (execution.n_threads < 0) invalid_argument("n_threads must be at least 0, got ", execution.n_threads);
    const double total = static_cast<double>(work.items) * work.microseconds;
    const double worthwhile = std::floor(total / kMicrosecondsWorthAThread);
    if (worthwhile < 2 || work.items < 2 || execution.n_threads == 1 || in_forked_child) return 1;
    const int allowed = execution.n_threads > 0 ? std::min(execution.n_threads, most_threads()) : max_threads();
    const double n_threads = std::min({worthwhile, static_cast<double>(allowed), static_cast<double>(work.items)});
    return static_cast<int>(n_threads);
}

void detail::parallel_for(const Work& work, const Execution& execution, const void* body, RangeFunction call) {
    const int n_threads = threads_for(work, execution);
    const std::size_t share = work.items / static_cast<std::size_t>(n_threads);
    const std::size_t most = std::max<std::size_t>(1, share / kFewestChunksPerThread);
    const std::size_t grain =
        std::max(std::min(items_in(kMicrosecondsPerChunk, work), most), std::min(work.together, share));
    if (work.items <= grain) {  // a row alone looks at no clock
        if (work.items > 0) call(body, 0, work.items);
        return;
    }
    Checkpoints checkpoints(execution);
    run(work.items, grain, n_threads, body, call, checkpoints);
}

}  // namespace conse
