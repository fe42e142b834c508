// An op list over buffers: what a graph is lowered to, checked before anything runs.
//
// It knows arrays, not graphs and not Python. A program is built once from a Description, which
// the verifier refuses where it is malformed, and then run many times without an allocation.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "chainrule/kernels.hpp"

namespace chainrule {

int64_t item_size(DType dtype) noexcept;

// A piece of memory. The arena belongs to the program, constants are copied into it; inputs and
// outputs are given for each run, in the order in which they stand among the buffers.
struct Buffer {
    enum class Kind : uint8_t { arena, constant, input, updated_input, output };
    Kind kind;
    int64_t bytes;
    std::string data;  // of a constant
};

// An array in a buffer. The offset counts bytes, strides count entries.
struct Slot {
    int buffer;
    int64_t offset;
    DType dtype;
    std::vector<int64_t> shape, strides;
};

enum class OpCode : uint8_t {
    elementwise,     // block: instructions; results: the value that goes to each output
    reduce,          // ints: kind, number of trailing axes to reduce
    map_rows,        // ints: kind; floats: parameter; along the last axis
    cross_entropy,   // (logits, labels)
    multiply,        // (a, b[, bias][, gate]), ints: relu, bias, 1: gate > 0, 2: gate as factor
    gather,          // (x, index...): the first axes of x are indexed
    scatter_add,     // (values, index...), the output is zeroed first
    random_uniform,  // (key), ints: stream
    callback,        // ints: number of the callback
    check_finite,    // (number): stops the run where it is not finite
    scan,            // ints: see Binding; runs a body again and again
    combine_rows,    // (indices, rows), ints: height; each row becomes the sum of all of its index
    first_rows,      // (indices), ints: height; whether an index is the first that names its row
    put_rows,        // (indices, rows), written into the output, the first of several for one row
    argsort,         // (x): the order along the last axis
    matrices,        // (a[, b]), ints: function; stacks of square matrices
};

enum class MatrixFunction : uint8_t {
    solve,
    solve_lower,
    solve_upper,
    inv,
    cholesky,
    det,
    logabsdet,
    signdet,
};
constexpr int matrix_functions = 8;

// A matrix that has not what was asked for, in NumPy's words.
class SingularMatrix : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// What a buffer of a scan's body is bound to. An operation `scan` has the integers body, length,
// whether it runs from the last entry to the first, and then four for each buffer of the body: a
// Binding and three numbers, named below. Entry t of an array is what lies at t on its first axis.
enum class Binding : uint8_t {
    whole,          // an input, the same in every step: (operand)
    entry,          // an input, entry t of an operand: (operand)
    workspace,      // an arena, anything between steps: (result)
    written_entry,  // an output, entry t of a result: (result)
    updated,        // an input that each step changes: (operand: the first, result: the last)
    // An input that the output bound to it replaces after each step. The states before each step
    // are the entries of the third; without a history it has the place of one state.
    carried,   // (operand: the first, result: the last, result: the place of another one)
    recorded,  // (operand: the first, result: the last, result: the history)
    next,      // an output: the state after the step: (buffer of the body that it replaces)
};
constexpr int bindings = 8;
constexpr size_t scan_ints = 3;
constexpr int deepest_body = 8;

// One instruction on blocks. Operands are numbers of values: first the inputs of the op, then the
// results of the instructions in order.
struct Instruction {
    int kernel;
    int operands[3];
};

struct Op {
    OpCode code;
    std::vector<int> inputs, outputs;
    std::vector<int64_t> ints;
    std::vector<double> floats;
    std::vector<Instruction> block;
    std::vector<int> results;
};

struct Description {
    std::vector<Buffer> buffers;
    std::vector<Slot> slots;
    std::vector<Op> ops;
    int callbacks = 0;
    std::vector<Description> bodies;  // of scans; callbacks are numbered through all of them

    const Slot& input(const Op& op, size_t i) const {
        return slots[static_cast<size_t>(op.inputs[i])];
    }
    const Slot& output(const Op& op, size_t i) const {
        return slots[static_cast<size_t>(op.outputs[i])];
    }
};

// Throws std::invalid_argument with what is wrong and where.
void verify(const Description& description);

// Fortran BLAS, of 32- or 64-bit integers; null where there is none.
struct Blas {
    void* sgemm = nullptr;
    void* dgemm = nullptr;
    bool wide = false;
};
Blas& blas() noexcept;

// The kernels for this processor.
const KernelTable& kernels() noexcept;

// The number of multiplications from which a product goes to BLAS.
int64_t& blas_threshold() noexcept;

class Step;
class Pace;

// What steps are given when they run; each thread that helps has one of its own.
struct Frame {
    char** base;  // of each buffer
    char* scratch = nullptr;
    const std::function<void(int)>* call = nullptr;
    int threads = 1;           // for which loops are cut
    Frame* helpers = nullptr;  // the frames of threads 1, 2 ...; null where this one is alone
    int worker = 0;            // number of the thread
    bool flush_denormals = false;
    bool stopped = false;
    const int64_t* moves = nullptr;  // of each buffer, in bytes, before the next step
};

class Program {
public:
    explicit Program(Description description);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    struct Outcome {
        int64_t steps;  // that ran to their end
        bool stopped;   // by check_finite
    };

    // Copies of inputs (numbers among them) as they are after the first `first` steps and after
    // every `every` more, each to its own memory, end to end.
    struct Copies {
        std::vector<size_t> inputs;
        std::vector<char*> to;
        int64_t every, first;
    };

    // Runs the list `steps` times. After each time input i moves on by input_strides[i] bytes, and
    // outputs in the same way; empty vectors stand for no movement. Ends early after `seconds`.
    // Inputs and outputs must be as large as their buffers, moves included; the caller sees to it.
    // At most `threads` threads are used, fewer where they would not pay. The memory of copies
    // must be large enough, too.
    Outcome run(char* const* inputs, char* const* outputs, const std::function<void(int)>& call,
                bool flush_denormals, int64_t steps = 1,
                const std::vector<int64_t>& input_strides = {},
                const std::vector<int64_t>& output_strides = {}, double seconds = 0,
                int threads = 1, const Copies* copies = nullptr);

    const Description& description() const noexcept { return description_; }
    char* arena(int buffer) noexcept { return base_[static_cast<size_t>(buffer)]; }
    // For each operation, whether it is worth more threads than one.
    const std::vector<bool>& spread() const noexcept { return spread_; }
    // For each operation, whether it is a chain with a loop of its own (see chains.hpp).
    const std::vector<bool>& own_loops() const noexcept { return own_loops_; }
    const std::vector<int>& inputs() const noexcept { return inputs_; }
    const std::vector<int>& outputs() const noexcept { return outputs_; }

private:
    struct Memory;
    void prepare(int threads);
    void copy(const Copies& copies, int64_t number) const;
    Description description_;
    std::vector<char*> base_;
    std::vector<int> inputs_, outputs_;
    std::unique_ptr<Memory> memory_;
    std::vector<std::unique_ptr<Step>> steps_;
    std::vector<const Step*> looking_ahead_;
    std::vector<int64_t> moves_;  // of each buffer between two steps of a run
    std::vector<Frame> frames_;
    int64_t scratch_bytes_ = 0;
    std::vector<bool> spread_, own_loops_;
    bool can_spread_ = false;
    std::unique_ptr<Pace> pace_;
    std::mutex mutex_;
};

}  // namespace chainrule
