#include "thread_pool.hpp"

#include <chrono>
#include <climits>
#include <new>
#include <thread>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

namespace chainrule {
namespace {

// How long a helper looks for the next loop before it sleeps: longer than the steps between two
// loops of a training step, too short to be missed by other processes.
constexpr int64_t spin_nanoseconds = 30'000;
// What it costs to wake one, with the time until it arrives.
constexpr double wake_nanoseconds = 15'000;
// A caller that waits so long for a piece that a helper has begun shares the processor with others.
constexpr int64_t late_nanoseconds = 200'000, longest_pause = 1'000'000'000;

int64_t now() noexcept {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

void relax() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    __asm__ volatile("yield");
#endif
}

constexpr uint64_t packed(uint64_t generation, int pieces) noexcept {
    return generation << 32 | static_cast<uint64_t>(pieces) << 16;
}
constexpr uint64_t generation_of(uint64_t state) noexcept { return state >> 32; }
constexpr int pieces_of(uint64_t state) noexcept { return static_cast<int>(state >> 16 & 0xffff); }
constexpr int next_of(uint64_t state) noexcept { return static_cast<int>(state & 0xffff); }

// Never destroyed: helpers may sleep in it while the process ends.
alignas(ThreadPool) unsigned char pool_memory[sizeof(ThreadPool)];

ThreadPool* new_pool() noexcept { return new (pool_memory) ThreadPool; }

}  // namespace

ThreadPool& thread_pool() noexcept {
    static ThreadPool* const pool = [] {
#if !defined(_WIN32)
        // A child has none of the threads, and locks as they were at the fork: it starts afresh.
        pthread_atfork(nullptr, nullptr, [] { new_pool(); });
#endif
        return new_pool();
    }();
    return *pool;
}

void ThreadPool::run(int pieces, int threads, double nanoseconds, Piece piece, void* context) {
    if (threads < 2 || pieces < 2 || taken_.exchange(true, std::memory_order_acquire))
        return alone(pieces, piece, context);
    const bool asleep =
        asleep_.load(std::memory_order_relaxed) > 0 || (started_ < threads - 1 && !no_more_);
    if ((asleep && nanoseconds < wake_nanoseconds) || (alone_until_ != 0 && now() < alone_until_) ||
        !start(threads - 1)) {
        taken_.store(false, std::memory_order_release);
        return alone(pieces, piece, context);
    }
    alone_until_ = 0;
    piece_ = piece;
    context_ = context;
    failed_ = INT_MAX;
    limit_.store(threads, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    const uint64_t generation =
        (generation_of(state_.load(std::memory_order_relaxed)) + 1) & 0xffffffff;
    state_.store(packed(generation, pieces), std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_seq_cst) > 0) wake_helpers();
    work(generation, 0);
    if (done_.load(std::memory_order_acquire) != pieces) wait_for(pieces, nanoseconds);
    loops_.fetch_add(1, std::memory_order_relaxed);
    const std::exception_ptr error = failed_ == INT_MAX ? nullptr : std::move(error_);
    error_ = nullptr;
    taken_.store(false, std::memory_order_release);
    if (error) std::rethrow_exception(error);
}

void ThreadPool::alone(int pieces, Piece piece, void* context) {
    for (int i = 0; i < pieces; ++i) piece(context, i, 0);
}

// Takes pieces of a loop until there are none.
void ThreadPool::work(uint64_t generation, int worker) noexcept {
    uint64_t state = state_.load(std::memory_order_acquire);
    while (generation_of(state) == generation && next_of(state) < pieces_of(state)) {
        if (worker >= limit_.load(std::memory_order_relaxed)) return;
        if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
        // The loop cannot end before this piece: what describes it stays as it is.
        const int pieces = pieces_of(state), piece = next_of(state);
        try {
            piece_(context_, piece, worker);
        } catch (...) {
            keep(piece);
        }
        if (done_.fetch_add(1, std::memory_order_seq_cst) + 1 == pieces && worker > 0 &&
            caller_asleep_.load(std::memory_order_seq_cst)) {
            const std::lock_guard<std::mutex> guard(mutex_);
            finished_.notify_one();
        }
        state = state_.load(std::memory_order_acquire);
    }
}

void ThreadPool::keep(int piece) noexcept {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (piece >= failed_) return;
    failed_ = piece;
    error_ = std::current_exception();
}

void ThreadPool::wake_helpers() noexcept {
    // The lock lets nobody fall asleep between its look at the state and its sleep.
    {
        const std::lock_guard<std::mutex> guard(mutex_);
    }
    wake_.notify_all();
}

void ThreadPool::wait_for(int pieces, double nanoseconds) noexcept {
    const int64_t start = now();
    const auto finished = [&] { return done_.load(std::memory_order_seq_cst) == pieces; };
    while (!finished() && now() - start < spin_nanoseconds) relax();
    if (!finished()) {
        std::unique_lock<std::mutex> lock(mutex_);
        caller_asleep_.store(true, std::memory_order_seq_cst);
        finished_.wait(lock, finished);
        caller_asleep_.store(false, std::memory_order_relaxed);
    }
    const int64_t end = now(), waited = end - start;
    if (waited > late_nanoseconds && static_cast<double>(waited) > nanoseconds) {
        const int64_t pause = 20 * waited;
        alone_until_ = end + (pause < longest_pause ? pause : longest_pause);
    }
}

bool ThreadPool::start(int helpers) noexcept {
    if (started_ >= helpers || no_more_) return started_ > 0;
#if !defined(_WIN32)
    // Signals are for the threads that the user knows.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    try {
        while (started_ < helpers) {
            std::thread(&ThreadPool::help, this, started_ + 1).detach();
            ++started_;
        }
    } catch (...) {
        no_more_ = true;
    }
#if !defined(_WIN32)
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
    return started_ > 0;
}

void ThreadPool::help(int worker) noexcept {
    uint64_t seen = 0;
    for (;;) {
        const int64_t start = now();
        uint64_t generation = seen;
        const auto look = [&] {
            return generation = generation_of(state_.load(std::memory_order_seq_cst));
        };
        while (look() == seen) {
            for (int i = 0; i < 16 && look() == seen; ++i) relax();
            if (now() - start < spin_nanoseconds) continue;
            std::unique_lock<std::mutex> lock(mutex_);
            asleep_.fetch_add(1, std::memory_order_seq_cst);
            wake_.wait(lock, [&] { return look() != seen; });
            asleep_.fetch_sub(1, std::memory_order_relaxed);
        }
        seen = generation;
        work(seen, worker);
    }
}

}  // namespace chainrule
