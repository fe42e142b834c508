// Threads that help with a loop whose pieces can run in any order.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>

namespace chainrule {

// One pool serves the process. Helpers start when they are first wanted, wait for the next loop for
// some microseconds at work and then asleep, and are gone in a child after fork(), where others
// start. The caller takes pieces as well: where the helpers are late, as on a busy machine, it does
// them all and waits for none but those that have begun.
class ThreadPool {
public:
    // `worker` is 0 for the caller and below `threads` for the others.
    using Piece = void (*)(void* context, int piece, int worker);

    // Runs pieces [0, pieces) on at most `threads` threads, `nanoseconds` being about what one
    // would need for all of them. Where another loop has the pool, the caller is alone. Of several
    // exceptions the one of the first piece is thrown, after all pieces have ended.
    void run(int pieces, int threads, double nanoseconds, Piece piece, void* context);

    // How many loops had the pool so far, for tests.
    uint64_t loops() const noexcept { return loops_.load(std::memory_order_relaxed); }

    static constexpr int most_threads = 256, most_pieces = 4096;

private:
    void alone(int pieces, Piece piece, void* context);
    bool start(int helpers) noexcept;
    void help(int worker) noexcept;
    void work(uint64_t generation, int worker) noexcept;
    void wake_helpers() noexcept;
    void wait_for(int pieces, double nanoseconds) noexcept;
    void keep(int piece) noexcept;

    // The loop at hand: its generation (32 bits), its pieces (16) and the next one (16), in one
    // word, so that a helper that comes late can take nothing from the loop after it.
    alignas(64) std::atomic<uint64_t> state_{0};
    alignas(64) std::atomic<int> done_{0};
    alignas(64) std::atomic<bool> taken_{false};
    std::atomic<int> asleep_{0}, limit_{0};
    std::atomic<bool> caller_asleep_{false};
    std::atomic<uint64_t> loops_{0};
    Piece piece_ = nullptr;
    void* context_ = nullptr;
    int started_ = 0;
    bool no_more_ = false;  // threads to be had
    int64_t alone_until_ = 0;
    std::mutex mutex_;
    std::condition_variable wake_, finished_;
    int failed_ = 0;
    std::exception_ptr error_;
};

ThreadPool& thread_pool() noexcept;

}  // namespace chainrule
