// Operations made ready to run.
#pragma once

#include <memory>
#include <vector>

#include "chainrule/program.hpp"

namespace chainrule {

// Memory that steps use while they run and leave to the next one.
class Scratch {
public:
    void need(int64_t bytes) noexcept {
        if (bytes > bytes_) bytes_ = bytes;
    }
    int64_t bytes() const noexcept { return bytes_; }

private:
    int64_t bytes_ = 0;
};

class Step {
public:
    virtual ~Step() = default;
    virtual void run(Frame& frame) = 0;
    // Whether more threads than one can help it.
    virtual bool can_spread() const { return false; }
    // Whether a chain of instructions runs as a loop of its own.
    virtual bool has_own_loop() const { return false; }
    // Whether the next run reads memory that this one can name but has not asked for.
    virtual bool can_look_ahead() const { return false; }
    // Asks for part `part` of `parts` of that memory, so that it is on its way meanwhile.
    virtual void look_ahead(const Frame&, int64_t, int64_t) const {}
    // Tells where each thread's scratch memory lies before the first run; it is in the frame too.
    virtual void take_scratch(const std::vector<char*>&) {}
};

// Where a slot begins.
struct Place {
    explicit Place(const Slot& slot)
        : buffer(static_cast<size_t>(slot.buffer)), offset(slot.offset) {}
    char* in(const Frame& frame) const { return frame.base[buffer] + offset; }
    size_t buffer;
    int64_t offset;
};

// Null where there is nothing to do. `op` and `description` are verified and outlive the step.
std::unique_ptr<Step> make_step(const Description& description, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_elementwise(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_reduce(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_map_rows(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_cross_entropy(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_indexed(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_table_rows(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_scan(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_argsort(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_matrices(const Description& d, const Op& op, Scratch& scratch);
std::unique_ptr<Step> make_multiply(const Description& d, const Op& op, Scratch& scratch);

}  // namespace chainrule
