// How long a line of the cache takes from one core to another and back: two threads, each bound to
// its core where the system allows it, change a number in turns.
#include <atomic>
#include <chrono>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace {

void bind_to(int core) {
#if defined(__linux__)
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    sched_setaffinity(0, sizeof cores, &cores);
#else
    static_cast<void>(core);
#endif
}

struct alignas(128) Number {
    std::atomic<int> value{0};
};

}  // namespace

// Seconds, the mean of so many turns.
extern "C" double round_trip(int first, int second, int turns) {
    Number number;
    double seconds = 0.0;
    const auto play = [&number, turns](int own, int next) {
        for (int i = 0; i < turns; ++i) {
            while (number.value.load(std::memory_order_acquire) != own) {
            }
            number.value.store(next, std::memory_order_release);
        }
    };
    std::thread one([&] {
        bind_to(first);
        const auto start = std::chrono::steady_clock::now();
        play(0, 1);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        seconds = took.count() / turns;
    });
    std::thread other([&] {
        bind_to(second);
        play(1, 0);
    });
    one.join();
    other.join();
    return seconds;
}
