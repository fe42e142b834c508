// Steps that are loops whose units can run in any order, and on several threads at once.
#pragma once

#include <algorithm>

#include "denormals.hpp"
#include "steps.hpp"
#include "thread_pool.hpp"

namespace chainrule {

// `Self` has a function part(frame, begin, end) that does some of the units. What a unit writes
// must not depend on which others are done by the same call: then results are the same for any
// number of threads. It may use frame.scratch, and what it keeps for frame.worker.
template <class Self>
class Ranged : public Step {
public:
    void run(Frame& frame) final {
        if (frame.threads > 1 && most_pieces_ > 1) spread(frame);
        else self().part(frame, 0, units_);
    }

protected:
    // `nanoseconds` is what all units need on one thread, roughly. Pieces begin at multiples of
    // `grain`, and there are at most `for_each_thread` of them for each thread.
    void divide(int64_t units, double nanoseconds, int64_t grain = 1, int for_each_thread = 3) {
        units_ = units;
        nanoseconds_ = nanoseconds;
        grain_ = grain;
        for_each_thread_ = for_each_thread;
        const int64_t grains = units / grain, worthwhile = static_cast<int64_t>(nanoseconds / 2000);
        most_pieces_ = nanoseconds < least_nanoseconds
                           ? 1
                           : static_cast<int>(std::min<int64_t>(
                                 {grains, worthwhile, int64_t{ThreadPool::most_pieces}}));
    }

private:
    // A loop that one thread is through with in less than this is left to it.
    static constexpr double least_nanoseconds = 6000;

    struct Loop {
        Self* self;
        Frame* frame;
        int pieces;
    };

    Self& self() { return static_cast<Self&>(*this); }

    void spread(Frame& frame) {
        Loop loop{&self(), &frame, std::min(most_pieces_, frame.threads * for_each_thread_)};
        thread_pool().run(
            loop.pieces, frame.threads, nanoseconds_,
            [](void* context, int piece, int worker) {
                const Loop& loop = *static_cast<Loop*>(context);
                Frame& frame = worker == 0 ? *loop.frame : loop.frame->helpers[worker - 1];
                const DenormalsFlushed flushed(worker > 0 && loop.frame->flush_denormals);
                loop.self->part(frame, loop.self->start_of(piece, loop.pieces),
                                loop.self->start_of(piece + 1, loop.pieces));
            },
            &loop);
    }

    int64_t start_of(int64_t piece, int64_t pieces) const {
        return piece == pieces ? units_ : units_ / grain_ * piece / pieces * grain_;
    }

    int64_t units_ = 0, grain_ = 1;
    double nanoseconds_ = 0;
    int most_pieces_ = 1, for_each_thread_ = 1;
};

}  // namespace chainrule
