// Refuses op lists that could read or write outside of their buffers, or that mean nothing.

#include <algorithm>
#include <stdexcept>
#include <string>

#include "chainrule/program.hpp"
#include "extent.hpp"
#include "row_access.hpp"
#include "verify.hpp"

namespace chainrule {
namespace {

constexpr size_t most_axes = 32, most_operands = 4096;

bool is_float(DType t) { return t == DType::f32 || t == DType::f64; }

void verify_buffers(const Description& d) {
    for (const Buffer& buffer : d.buffers) {
        require(buffer.kind <= Buffer::Kind::output, "a buffer of unknown kind");
        require(buffer.bytes >= 0 && buffer.bytes <= largest, "a buffer of impossible size");
        require(buffer.kind != Buffer::Kind::constant ||
                    static_cast<int64_t>(buffer.data.size()) == buffer.bytes,
                "a constant whose data do not fill its buffer");
    }
}

void verify_slot(const Description& d, const Slot& slot) {
    require(slot.buffer >= 0 && slot.buffer < static_cast<int>(d.buffers.size()),
            "a slot in a buffer that is not there");
    require(slot.dtype <= DType::raw8, "a slot of unknown dtype");
    require(slot.shape.size() == slot.strides.size(), "a slot with a stride missing");
    require(slot.shape.size() <= most_axes, "a slot with too many axes");
    int64_t size = 1;
    for (int64_t n : slot.shape) {
        require(n >= 0 && n <= largest, "a slot with an impossible length");
        require(n == 0 || size <= largest / n, "a slot with too many entries");
        size *= n == 0 ? 1 : n;
    }
    if (entries(slot) == 0) size = 0;
    for (int64_t stride : slot.strides)
        require(stride >= -largest && stride <= largest, "a slot with an impossible stride");
    require(slot.offset >= 0 && slot.offset <= d.buffers[slot.buffer].bytes,
            "a slot that begins outside of its buffer");
    require(slot.offset % item_size(slot.dtype) == 0, "a slot that is not aligned");
    if (size == 0) return;
    // Each axis by itself first, by division: then no product below can overflow.
    const int64_t entries = d.buffers[slot.buffer].bytes / item_size(slot.dtype);
    int64_t low = 0, high = 0;
    for (size_t i = 0; i < slot.shape.size(); ++i) {
        const int64_t steps = slot.shape[i] - 1, stride = slot.strides[i];
        if (steps == 0 || stride == 0) continue;
        require((stride < 0 ? -stride : stride) <= entries / steps,
                "a slot that reaches outside of its buffer");
        (stride < 0 ? low : high) += steps * stride;
    }
    const int64_t first = slot.offset / item_size(slot.dtype);
    require(first + low >= 0 && first + high < entries,
            "a slot that reaches outside of its buffer");
}

class OpVerifier {
public:
    OpVerifier(const Description& d, const Op& op) : d_(d), op_(op) {}

    void verify() {
        require(op_.code <= OpCode::matrices, "an unknown operation");
        require(op_.inputs.size() <= most_operands && op_.outputs.size() <= most_operands &&
                    op_.block.size() <= most_operands,
                "an operation that is too long");
        for (const auto* list : {&op_.inputs, &op_.outputs})
            for (int slot : *list)
                require(slot >= 0 && slot < static_cast<int>(d_.slots.size()),
                        "an operand that is not a slot");
        for (size_t i = 0; i < op_.outputs.size(); ++i) verify_output(i);
        switch (op_.code) {
            case OpCode::elementwise: return elementwise();
            case OpCode::reduce: return reduce();
            case OpCode::map_rows: return map_rows();
            case OpCode::cross_entropy: return cross_entropy();
            case OpCode::multiply: return multiply();
            case OpCode::gather: return gather();
            case OpCode::scatter_add: return scatter();
            case OpCode::random_uniform: return random();
            case OpCode::callback: return callback();
            case OpCode::check_finite: return check();
            case OpCode::scan: return verify_scan(d_, op_), apart();
            case OpCode::combine_rows: return combine_rows();
            case OpCode::first_rows: return first_rows();
            case OpCode::put_rows: return put_rows();
            case OpCode::argsort: return argsort();
            case OpCode::matrices: return matrices();
        }
    }

private:
    const Slot& in(size_t i) const {
        require(i < op_.inputs.size(), "an operand is missing");
        return d_.slots[static_cast<size_t>(op_.inputs[i])];
    }
    const Slot& out(size_t i) const {
        require(i < op_.outputs.size(), "a result is missing");
        return d_.slots[static_cast<size_t>(op_.outputs[i])];
    }
    int64_t integer(size_t i) const {
        require(i < op_.ints.size(), "an attribute is missing");
        return op_.ints[i];
    }

    void verify_output(size_t i) const {
        const Slot& slot = out(i);
        const Buffer::Kind kind = d_.buffers[static_cast<size_t>(slot.buffer)].kind;
        require(kind != Buffer::Kind::constant && kind != Buffer::Kind::input,
                "an operation that writes to a buffer that is only read");
        require(writes_each_once(slot), "a result whose entries overlap one another");
        for (size_t j = 0; j < i; ++j)
            require(!overlap(slot, out(j)), "an operation with two results in one place");
    }

    // Results are written while operands are read; only entry by entry may they be the same.
    void apart() const {
        for (int output : op_.outputs)
            for (int input : op_.inputs)
                require(!overlap(d_.slots[static_cast<size_t>(output)],
                                 d_.slots[static_cast<size_t>(input)]),
                        "an operation whose result overlaps an operand");
    }

    void arity(size_t inputs, size_t outputs) const {
        require(op_.inputs.size() == inputs && op_.outputs.size() == outputs,
                "an operation with the wrong number of operands");
        apart();
    }

    void elementwise() const {
        require(!op_.outputs.empty(), "an operation without a result");
        const auto& shape = out(0).shape;
        std::vector<DType> types;
        for (size_t i = 0; i < op_.inputs.size(); ++i) {
            require(in(i).shape == shape, "an elementwise operand of another shape");
            types.push_back(in(i).dtype);
        }
        const KernelTable& table = kernels();
        for (const Instruction& step : op_.block) {
            require(step.kernel >= 0 && step.kernel < table.block_count, "an unknown instruction");
            const BlockEntry& entry = table.blocks[step.kernel];
            for (int i = 0; i < entry.arity; ++i) {
                const int value = step.operands[i];
                require(value >= 0 && value < static_cast<int>(types.size()),
                        "an instruction on a value that is not computed yet");
                require(types[static_cast<size_t>(value)] == entry.operands[i],
                        "an instruction on a value of another dtype");
            }
            types.push_back(entry.result);
        }
        require(op_.results.size() == op_.outputs.size(), "results and outputs differ in number");
        for (size_t i = 0; i < op_.results.size(); ++i) {
            const int value = op_.results[i];
            require(value >= 0 && value < static_cast<int>(types.size()),
                    "a result that is not computed");
            require(types[static_cast<size_t>(value)] == out(i).dtype && out(i).shape == shape,
                    "a result of another dtype or shape");
        }
        for (size_t o = 0; o < op_.outputs.size(); ++o)
            for (size_t i = 0; i < op_.inputs.size(); ++i)
                require(!overlap(out(o), in(i)) || same_place(out(o), in(i)),
                        "an elementwise result that overlaps an operand");
    }

    void reduce() const {
        arity(1, 1);
        const int64_t kind = integer(0), axes = integer(1);
        const auto& shape = in(0).shape;
        require(kind >= 0 && kind < row_reductions, "an unknown reduction");
        require(axes >= 0 && axes <= static_cast<int64_t>(shape.size()),
                "a reduction of axes that are not there");
        require(is_float(in(0).dtype) || in(0).dtype == DType::i64, "a reduction of another dtype");
        require(row_kernels(in(0).dtype).reduce[kind], "a reduction that there is not of integers");
        const bool position = static_cast<RowReduction>(kind) >= RowReduction::argmax;
        require(out(0).dtype == (position ? DType::i64 : in(0).dtype),
                "a reduction with a result of another dtype");
        const size_t kept = shape.size() - static_cast<size_t>(axes);
        require(std::equal(shape.begin(), shape.begin() + static_cast<std::ptrdiff_t>(kept),
                           out(0).shape.begin(), out(0).shape.end()),
                "a reduction with a result of another shape");
        require(is_contiguous(out(0)), "a reduction whose result is not contiguous");
        int64_t reduced = 1;
        for (size_t i = kept; i < shape.size(); ++i) reduced *= shape[i];
        require(reduced > 0 || kind == static_cast<int64_t>(RowReduction::sum),
                "a reduction of nothing");
    }

    void map_rows() const {
        arity(1, 1);
        const int64_t kind = integer(0);
        require(kind >= 0 && kind < row_maps, "an unknown map of rows");
        require(op_.floats.size() == 1, "an attribute is missing");
        require(is_float(in(0).dtype) || in(0).dtype == DType::i64,
                "a map of rows of another dtype");
        require(row_kernels(in(0).dtype).map[kind], "a map of rows that there is not of integers");
        require(in(0).dtype == out(0).dtype && in(0).shape == out(0).shape && !in(0).shape.empty(),
                "a map of rows with operands that do not fit");
    }

    void cross_entropy() const {
        arity(2, 1);
        const auto& shape = in(0).shape;
        require(is_float(in(0).dtype) && in(0).dtype == out(0).dtype && in(1).dtype == DType::i64,
                "a cross entropy of other dtypes");
        require(!shape.empty() && shape.back() > 0, "a cross entropy of nothing");
        const std::vector<int64_t> rows(shape.begin(), shape.end() - 1);
        require(in(1).shape == rows && out(0).shape == rows && is_contiguous(out(0)),
                "a cross entropy of other shapes");
    }

    void multiply() const {
        require(op_.ints.size() == 3, "an attribute is missing");
        require(op_.ints[2] >= 0 && op_.ints[2] <= 2, "a gate of unknown kind");
        const bool has_bias = op_.ints[1] != 0, has_gate = op_.ints[2] != 0;
        arity(size_t{2} + has_bias + has_gate, 1);
        const auto &a = in(0).shape, &b = in(1).shape, &c = out(0).shape;
        const size_t axes = c.size();
        require(axes >= 2 && a.size() == axes && b.size() == axes,
                "a product of other than matrices");
        for (size_t i = 0; i + 2 < axes; ++i)
            require(a[i] == c[i] && b[i] == c[i], "a product of stacks that differ");
        require(
            a[axes - 2] == c[axes - 2] && b[axes - 1] == c[axes - 1] && a[axes - 1] == b[axes - 2],
            "a product of matrices that do not fit");
        for (const auto* list : {&op_.inputs, &op_.outputs})
            for (int slot : *list)
                require(d_.slots[static_cast<size_t>(slot)].dtype == out(0).dtype,
                        "a product of several dtypes");
        require(is_float(out(0).dtype), "a product of another dtype than a floating one");
        const auto& strides = out(0).strides;
        require(c[axes - 1] <= 1 || strides[axes - 1] == 1,
                "a product whose rows are not contiguous");
        if (has_bias)
            require(
                in(2).shape.size() == 1 && in(2).shape[0] == c[axes - 1] && is_contiguous(in(2)),
                "a bias that does not fit");
        if (has_gate) {
            const Slot& gate = in(op_.inputs.size() - 1);
            require(gate.shape == c && (c[axes - 1] <= 1 || gate.strides[axes - 1] == 1),
                    "a gate that does not fit");
        }
    }

    // `whole` is indexed along its first axes, giving (or taking) `picked`.
    void indexed(const Slot& whole, const Slot& picked) const {
        require(op_.inputs.size() >= 2 && op_.outputs.size() == 1, "an index is missing");
        apart();
        require(whole.dtype == picked.dtype, "indexing that changes the dtype");
        const size_t axes = op_.inputs.size() - 1;
        require(axes <= whole.shape.size(), "more indices than axes");
        std::vector<int64_t> shape = in(1).shape;
        for (size_t i = 1; i <= axes; ++i)
            require(in(i).dtype == DType::i64 && in(i).shape == in(1).shape,
                    "an index of another dtype or shape");
        shape.insert(shape.end(), whole.shape.begin() + static_cast<std::ptrdiff_t>(axes),
                     whole.shape.end());
        require(picked.shape == shape, "indexing with a result of another shape");
    }

    void gather() const {
        indexed(in(0), out(0));
        require(is_contiguous(out(0)), "indexing whose result is not contiguous");
    }

    void scatter() const {
        indexed(out(0), in(0));
        require(is_float(out(0).dtype) || out(0).dtype == DType::i64,
                "a sum of entries that are not numbers");
        require(is_contiguous(out(0)), "a sum of rows that is not contiguous");
    }

    // Indices of rows, one after the other.
    void row_indices(const Slot& indices) const {
        require(indices.dtype == DType::i64 && indices.shape.size() == 1 && is_contiguous(indices),
                "indices of rows of another form");
        require(entries(indices) <= int64_t{1} << 28, "too many indices of rows");
    }

    void rows_fit(const Slot& indices, const Slot& rows) const {
        require(!rows.shape.empty() && rows.shape[0] == indices.shape[0] && is_contiguous(rows),
                "rows that do not fit their indices");
    }

    void combine_rows() const {
        arity(2, 1);
        require(integer(0) >= 0, "a table of impossible height");
        row_indices(in(0));
        rows_fit(in(0), in(1));
        require(is_float(in(1).dtype) && out(0).dtype == in(1).dtype &&
                    out(0).shape == in(1).shape && is_contiguous(out(0)),
                "sums of rows of another form");
    }

    void first_rows() const {
        arity(1, 1);
        require(integer(0) >= 0, "a table of impossible height");
        row_indices(in(0));
        require(
            out(0).dtype == DType::boolean && out(0).shape == in(0).shape && is_contiguous(out(0)),
            "marks of rows of another form");
    }

    void put_rows() const {
        arity(2, 1);
        row_indices(in(0));
        rows_fit(in(0), in(1));
        const auto &table = out(0).shape, &rows = in(1).shape;
        require(in(1).dtype == out(0).dtype && is_contiguous(out(0)) &&
                    table.size() == rows.size() &&
                    std::equal(table.begin() + 1, table.end(), rows.begin() + 1),
                "rows that do not fit the table");
    }

    void random() const {
        arity(1, 1);
        integer(0);
        require(in(0).shape == std::vector<int64_t>{2} && is_contiguous(in(0)) &&
                    item_size(in(0).dtype) == 8,
                "a random key of another form");
        require(is_float(out(0).dtype) && is_contiguous(out(0)), "random numbers of another form");
    }

    void argsort() const {
        arity(1, 1);
        require(in(0).dtype <= DType::boolean && out(0).dtype == DType::i64,
                "an order of other dtypes");
        require(in(0).shape == out(0).shape && !in(0).shape.empty(), "an order of another shape");
    }

    void matrices() const {
        const int64_t function = integer(0);
        require(function >= 0 && function < matrix_functions, "an unknown function of matrices");
        const auto kind = static_cast<MatrixFunction>(function);
        const bool solves = kind <= MatrixFunction::solve_upper;
        arity(solves ? 2 : 1, 1);
        for (const auto* list : {&op_.inputs, &op_.outputs})
            for (int slot : *list)
                require(d_.slots[static_cast<size_t>(slot)].dtype == out(0).dtype,
                        "a function of matrices of several dtypes");
        require(is_float(out(0).dtype) && is_contiguous(out(0)),
                "a function of matrices of another form");
        const auto& a = in(0).shape;
        require(a.size() >= 2 && a[a.size() - 1] == a[a.size() - 2],
                "a function of matrices that are not square");
        std::vector<int64_t> shape(a.begin(), a.end() - 2);
        if (kind < MatrixFunction::det) shape.insert(shape.end(), a.end() - 2, a.end());
        if (solves) {
            require(in(1).shape.size() == a.size(), "a right-hand side that does not fit");
            shape.back() = in(1).shape.back();
            require(in(1).shape == shape, "a right-hand side that does not fit");
        }
        require(out(0).shape == shape, "a function of matrices with a result of another shape");
    }

    void callback() const {
        const int64_t number = integer(0);
        require(number >= 0 && number < d_.callbacks, "a callback that is not there");
    }

    void check() const {
        arity(1, 0);
        require(is_float(in(0).dtype) && in(0).shape.empty(), "a check of other than a number");
    }

    const Description& d_;
    const Op& op_;
};

}  // namespace

static void verify_body(const Description& description, int depth) {
    require(depth <= deepest_body, "scans that are nested too deeply");
    verify_buffers(description);
    for (size_t i = 0; i < description.slots.size(); ++i) {
        try {
            verify_slot(description, description.slots[i]);
        } catch (const std::invalid_argument& error) {
            refuse("slot " + std::to_string(i) + ": " + error.what());
        }
    }
    for (size_t i = 0; i < description.bodies.size(); ++i) {
        const Description& body = description.bodies[i];
        require(body.callbacks <= description.callbacks, "a body with callbacks of its own");
        for (const Buffer& buffer : body.buffers)
            require(buffer.kind != Buffer::Kind::constant, "a body with memory of its own");
        try {
            verify_body(body, depth + 1);
        } catch (const std::invalid_argument& error) {
            refuse("body " + std::to_string(i) + ": " + error.what());
        }
    }
    for (size_t i = 0; i < description.ops.size(); ++i) {
        try {
            OpVerifier(description, description.ops[i]).verify();
        } catch (const std::invalid_argument& error) {
            refuse("operation " + std::to_string(i) + ": " + error.what());
        }
    }
}

void verify(const Description& description) { verify_body(description, 0); }

}  // namespace chainrule
