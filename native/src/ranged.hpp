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
        if (frame.threads > 1 && most_pieces_ > 1 && (frame.helpers || cuts_matter_)) cut(frame);
        else self().part(frame, 0, units_);
    }
    bool can_spread() const final { return most_pieces_ > 1; }

protected:
    // `nanoseconds` is what all units need on one thread, roughly. Pieces begin at multiples of
    // `grain`. Where cuts matter after all, there is one for each thread, helpers or not, so that
    // results depend on the number of threads only.
    void divide(int64_t units, double nanoseconds, int64_t grain = 1, bool cuts_matter = false) {
        units_ = units;
        nanoseconds_ = nanoseconds;
        grain_ = grain;
        cuts_matter_ = cuts_matter;
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

    void cut(Frame& frame) {
        Loop loop{&self(), &frame, std::min(most_pieces_, frame.threads * (cuts_matter_ ? 1 : 3))};
        if (!frame.helpers) {
            for (int piece = 0; piece < loop.pieces; ++piece)
                self().part(frame, start_of(piece, loop.pieces), start_of(piece + 1, loop.pieces));
            return;
        }
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
    int most_pieces_ = 1;
    bool cuts_matter_ = false;
};

}  // namespace chainrule
