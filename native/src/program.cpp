// Makes a verified op list ready to run: every loop planned, every scratch buffer allocated.

#include "chainrule/program.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>

#include "chainrule/cpu.hpp"
#include "denormals.hpp"
#include "extent.hpp"
#include "pace.hpp"
#include "steps.hpp"
#include "thread_pool.hpp"

namespace chainrule {

int64_t item_size(DType dtype) noexcept {
    switch (dtype) {
        case DType::f32:
        case DType::i32:
        case DType::raw4: return 4;
        case DType::raw2: return 2;
        case DType::boolean:
        case DType::raw1: return 1;
        default: return 8;
    }
}

const KernelTable& kernels() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
    switch (supported_level()) {
        case SimdLevel::avx512: return avx512::table();
        case SimdLevel::avx2: return avx2::table();
        default: break;
    }
#endif
    return baseline::table();
}

Blas& blas() noexcept {
    static Blas pointers;
    return pointers;
}

int64_t& blas_threshold() noexcept {
    static int64_t threshold = int64_t{1} << 26;
    return threshold;
}

// Zeroed memory, aligned to cache lines.
struct Program::Memory {
    std::vector<void*> blocks;

    char* allocate(int64_t bytes) {
        const size_t size = static_cast<size_t>(bytes) + 64;
        void* block = ::operator new(size, std::align_val_t{64});
        blocks.push_back(block);
        std::memset(block, 0, size);
        return static_cast<char*>(block);
    }

    ~Memory() {
        for (void* block : blocks) ::operator delete(block, std::align_val_t{64});
    }
};

Program::Program(Description description)
    : description_(std::move(description)), memory_(std::make_unique<Memory>()) {
    verify(description_);
    for (size_t i = 0; i < description_.buffers.size(); ++i) {
        Buffer& buffer = description_.buffers[i];
        switch (buffer.kind) {
            case Buffer::Kind::arena: base_.push_back(memory_->allocate(buffer.bytes)); break;
            case Buffer::Kind::constant:
                base_.push_back(memory_->allocate(buffer.bytes));
                std::memcpy(base_.back(), buffer.data.data(), buffer.data.size());
                buffer.data = {};
                break;
            case Buffer::Kind::output:
                outputs_.push_back(static_cast<int>(i));
                base_.push_back(nullptr);
                break;
            default: inputs_.push_back(static_cast<int>(i)); base_.push_back(nullptr);
        }
    }
    Scratch scratch;
    for (const Op& op : description_.ops) {
        auto step = make_step(description_, op, scratch);
        spread_.push_back(step && step->can_spread());
        own_loops_.push_back(step && step->has_own_loop());
        if (step && step->can_look_ahead()) looking_ahead_.push_back(step.get());
        if (step) steps_.push_back(std::move(step));
    }
    moves_.resize(base_.size());
    can_spread_ = std::find(spread_.begin(), spread_.end(), true) != spread_.end();
    pace_ = std::make_unique<Pace>();
    // Whole cache lines and more, so that threads do not share any.
    scratch_bytes_ = (scratch.bytes() + 255) / 128 * 128;
    prepare(1);
}

Program::~Program() = default;

// Scratch memory and a frame for each thread.
void Program::prepare(int threads) {
    if (static_cast<int>(frames_.size()) >= threads) return;
    std::vector<char*> scratch;
    for (const Frame& frame : frames_) scratch.push_back(frame.scratch);
    while (static_cast<int>(scratch.size()) < threads)
        scratch.push_back(memory_->allocate(scratch_bytes_));
    for (auto& step : steps_) step->take_scratch(scratch);
    frames_.clear();
    for (char* memory : scratch) {
        frames_.push_back({base_.data(), memory});
        frames_.back().worker = static_cast<int>(frames_.size()) - 1;
    }
}

void Program::copy(const Copies& copies, int64_t number) const {
    for (size_t i = 0; i < copies.inputs.size(); ++i) {
        const auto buffer = static_cast<size_t>(inputs_[copies.inputs[i]]);
        const int64_t bytes = description_.buffers[buffer].bytes;
        std::memcpy(copies.to[i] + number * bytes, base_[buffer], static_cast<size_t>(bytes));
    }
}

Program::Outcome Program::run(char* const* inputs, char* const* outputs,
                              const std::function<void(int)>& call, bool flush_denormals,
                              int64_t steps, const std::vector<int64_t>& input_strides,
                              const std::vector<int64_t>& output_strides, double seconds,
                              int threads, const Copies* copies) {
    const std::lock_guard<std::mutex> guard(mutex_);
    threads = can_spread_ ? std::clamp(threads, 1, ThreadPool::most_threads) : 1;
    prepare(threads);
    const DenormalsFlushed flushed(flush_denormals);
    for (size_t i = 0; i < inputs_.size(); ++i) base_[static_cast<size_t>(inputs_[i])] = inputs[i];
    for (size_t i = 0; i < outputs_.size(); ++i)
        base_[static_cast<size_t>(outputs_[i])] = outputs[i];
    Frame& frame = frames_[0];
    frame.call = &call;
    frame.threads = threads;
    frame.helpers = nullptr;
    frame.flush_denormals = flush_denormals;
    frame.stopped = false;
    for (size_t i = 0; i < input_strides.size(); ++i)
        moves_[static_cast<size_t>(inputs_[i])] = input_strides[i];
    frame.moves = moves_.data();
    const auto parts = static_cast<int64_t>(steps_.size());
    const auto start = std::chrono::steady_clock::now();
    auto before = start;
    int64_t next_copy = copies ? copies->first : -1, made = 0;
    for (int64_t done = 0; done < steps; ++done) {
        if (threads > 1) frame.helpers = pace_->shared() ? frames_.data() + 1 : nullptr;
        const bool looks_ahead =
            !looking_ahead_.empty() && !input_strides.empty() && done + 1 < steps;
        for (int64_t i = 0; i < parts; ++i) {
            steps_[static_cast<size_t>(i)]->run(frame);
            if (frame.stopped) return {done, true};
            if (looks_ahead)
                for (const Step* step : looking_ahead_) step->look_ahead(frame, i, parts);
        }
        if (done + 1 == next_copy) {
            copy(*copies, made++);
            next_copy += copies->every;
        }
        for (size_t i = 0; i < input_strides.size(); ++i)
            base_[static_cast<size_t>(inputs_[i])] += input_strides[i];
        for (size_t i = 0; i < output_strides.size(); ++i)
            base_[static_cast<size_t>(outputs_[i])] += output_strides[i];
        if (threads > 1) {
            const auto now = std::chrono::steady_clock::now();
            pace_->took(std::chrono::duration_cast<std::chrono::nanoseconds>(now - before).count());
            before = now;
        }
        if (seconds > 0 && (done & 7) == 7) {
            const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
            if (passed.count() > seconds) return {done + 1, false};
        }
    }
    return {steps, false};
}

}  // namespace chainrule
