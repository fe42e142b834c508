// Steps that gather or scatter entries by arrays of indices.

#include "row_access.hpp"

#if defined(__GNUC__)
#define CHAINRULE_INLINE __attribute__((always_inline)) inline
#else
#define CHAINRULE_INLINE inline
#endif

namespace chainrule {
namespace {

// Gathers from, or adds to, entries or rows of `whole` that index arrays name.
class Indexed final : public Ranged<Indexed> {
public:
    Indexed(const Description& d, const Op& op, bool scatter, Scratch& scratch)
        : scatter_(scatter), dtype_(d.slots[static_cast<size_t>(op.outputs[0])].dtype),
          whole_((scatter ? d.output(op, 0) : d.input(op, 0)), inner_axes(d, op, scatter)),
          picked_((scatter ? d.input(op, 0) : d.output(op, 0)), inner_axes(d, op, scatter)) {
        const Slot& whole = (scatter ? d.output(op, 0) : d.input(op, 0));
        for (size_t i = 1; i < op.inputs.size(); ++i)
            indices_.push_back({Rows(d.input(op, i), 0), whole.shape[i - 1], whole.strides[i - 1]});
        bytes_ = entries(whole) * whole_.item;
        far_ = bytes_ > near_bytes;
        const bool even = std::all_of(indices_.begin(), indices_.end(),
                                      [](const Index& index) { return index.entries.is_even(); });
        takes_rows_ = indices_.size() == 1 && whole_.one_run && picked_.end_to_end() && even;
        looks_ahead_ =
            !scatter && takes_rows_ && far_ &&
            d.buffers[static_cast<size_t>(d.input(op, 1).buffer)].kind == Buffer::Kind::input;
        single_entries_ =
            whole_.length == 1 && picked_.is_even() && even && indices_.size() <= most_indices;
        scratch.need(picked_.length * picked_.item);
        // Rows that are added to may be the same ones.
        const double row = 5 + 0.1 * static_cast<double>(picked_.length * picked_.item);
        divide(picked_.count, scatter ? 0 : row * static_cast<double>(picked_.count));
    }

    void part(Frame& frame, int64_t begin, int64_t end) {
        char* base = whole_.place.in(frame);
        if (scatter_) std::memset(base, 0, static_cast<size_t>(bytes_));
        const auto row_bytes = static_cast<size_t>(whole_.length * whole_.item);
        if (!scatter_ && takes_rows_) {
            if (row_bytes == 4) return take_rows<4>(frame, begin, end);
            if (row_bytes == 8) return take_rows<8>(frame, begin, end);
            return take_rows<0>(frame, begin, end);
        }
        if (single_entries_) {
            if (dtype_ == DType::f32) return entries_by_axes<float>(frame, begin, end);
            if (item_size(dtype_) == 8 && !(scatter_ && dtype_ == DType::f64))
                return entries_by_axes<uint64_t>(frame, begin, end);
            if (dtype_ == DType::f64) return entries_by_axes<double>(frame, begin, end);
        }
        for (int64_t row = begin; row < end; ++row) {
            int64_t position = 0;
            for (size_t i = 0; i < indices_.size(); ++i) {
                const Index& index = indices_[i];
                const auto entry =
                    *reinterpret_cast<const int64_t*>(index.entries.begin(frame, row));
                position += checked(entry, index.length, i) * index.stride;
            }
            char* at = base + position * whole_.item;
            if (scatter_) {
                add(at, picked_.packed(frame, row, frame.scratch));
            } else if (whole_.one_run) {
                std::memcpy(picked_.begin(frame, row), at, row_bytes);
            } else {
                copy_range<false>(whole_.item, picked_.begin(frame, row), at, whole_.inner(), 0,
                                  whole_.length);
            }
        }
    }

    bool can_look_ahead() const override { return looks_ahead_; }

    // The rows of the next step, as far as they are named then.
    void look_ahead(const Frame& frame, int64_t part, int64_t parts) const override {
        const Index& index = indices_[0];
        const int64_t move = frame.moves[index.entries.place.buffer];
        if (move == 0) return;
        const int64_t begin = picked_.count * part / parts;
        const int64_t end = picked_.count * (part + 1) / parts, step = index.entries.spacing();
        const auto* entry =
            reinterpret_cast<const int64_t*>(index.entries.begin(frame, begin) + move);
        const char* base = whole_.place.in(frame);
        for (int64_t row = begin; row < end; ++row, entry += step) ask_for(base, *entry);
    }

private:
    struct Index {
        Rows entries;
        int64_t length, stride;
    };

    static size_t inner_axes(const Description& d, const Op& op, bool scatter) {
        return (scatter ? d.output(op, 0) : d.input(op, 0)).shape.size() - (op.inputs.size() - 1);
    }
    // Rows named by one array of indices, one after another; `size` is their bytes, or 0 if it is
    // known only now. Rows of a large array lie far apart, so they are asked for beforehand.
    template <size_t size>
    void take_rows(Frame& frame, int64_t begin, int64_t end) const {
        constexpr int64_t ahead = 12;
        const Index& index = indices_[0];
        const int64_t step = index.entries.spacing();
        const auto* entry = reinterpret_cast<const int64_t*>(index.entries.begin(frame, begin));
        const char* base = whole_.place.in(frame);
        const int64_t stride = index.stride * whole_.item;
        const size_t bytes = size ? size : static_cast<size_t>(whole_.length * whole_.item);
        char* to = picked_.begin(frame, begin);
        for (int64_t row = begin; row < end; ++row, entry += step, to += bytes) {
            if (end - row > ahead && far_) ask_for(base, entry[ahead * step]);
            copy_row<size>(to, base + checked(*entry, index.length, 0) * stride, bytes);
        }
    }

    // Asks for a row, or for its beginning: the processor finds out how it goes on. GCC takes a
    // function that does nothing else for one without effects, and drops calls of it.
    CHAINRULE_INLINE void ask_for(const char* base, int64_t entry) const {
        constexpr int64_t line = 64, most_lines = 4;
        const Index& index = indices_[0];
        const int64_t row = entry < 0 ? entry + index.length : entry;
        if (static_cast<uint64_t>(row) >= static_cast<uint64_t>(index.length)) return;
        const char* at = base + row * index.stride * whole_.item;
        const int64_t asked = std::min(whole_.length * whole_.item, most_lines * line);
        const char* end = at + asked;
        for (at -= reinterpret_cast<uintptr_t>(at) % line; at < end; at += line)
            __builtin_prefetch(at, 0, 2);  // into the second cache: much happens until then
    }

    // Short rows are copied without a call, the last part of them twice.
    template <size_t size>
    static void copy_row(char* to, const char* from, size_t bytes) {
        constexpr size_t part = 16;
        if (size > 0 || bytes < part || bytes > 16 * part) {
            std::memcpy(to, from, bytes);
            return;
        }
        for (size_t at = 0; at + part <= bytes; at += part) std::memcpy(to + at, from + at, part);
        std::memcpy(to + bytes - part, from + bytes - part, part);
    }

    template <class T>
    void entries_by_axes(Frame& frame, int64_t begin, int64_t end) const {
        if (indices_.size() == 2) entries_of<T, 2>(frame, begin, end, 2);
        else entries_of<T, most_indices>(frame, begin, end, indices_.size());
    }

    // Single entries, each named by an entry of each array of indices; as many of them as `known`
    // says where that is less than the most.
    template <class T, size_t known>
    void entries_of(Frame& frame, int64_t begin, int64_t end, size_t count) const {
        T* whole = reinterpret_cast<T*>(whole_.place.in(frame));
        T* picked = reinterpret_cast<T*>(picked_.begin(frame, begin));
        const int64_t step = picked_.spacing();
        const size_t axes = known < most_indices ? known : count;
        const int64_t* at[known];
        int64_t steps[known], lengths[known], strides[known];
        for (size_t i = 0; i < axes; ++i) {
            at[i] = reinterpret_cast<const int64_t*>(indices_[i].entries.begin(frame, begin));
            steps[i] = indices_[i].entries.spacing();
            lengths[i] = indices_[i].length;
            strides[i] = indices_[i].stride;
        }
        for (int64_t row = begin; row < end; ++row, picked += step) {
            int64_t position = 0;
            for (size_t i = 0; i < axes; ++i) {
                position += checked(*at[i], lengths[i], i) * strides[i];
                at[i] += steps[i];
            }
            if (scatter_) whole[position] += *picked;
            else *picked = whole[position];
        }
    }

    void add(char* to, const char* from) const {
        if (dtype_ == DType::f32) add_as<float>(to, from);
        else if (dtype_ == DType::f64) add_as<double>(to, from);
        else add_as<uint64_t>(to, from);
    }
    template <class T>
    void add_as(char* to, const char* from) const {
        T* sum = reinterpret_cast<T*>(to);
        const T* term = reinterpret_cast<const T*>(from);
        for (int64_t i = 0; i < picked_.length; ++i) sum[i] += term[i];
    }

    static constexpr size_t most_indices = 4;
    static constexpr int64_t near_bytes = 16384;

    bool scatter_, takes_rows_ = false, single_entries_ = false, far_ = false;
    bool looks_ahead_ = false;
    DType dtype_;
    Rows whole_, picked_;
    std::vector<Index> indices_;
    int64_t bytes_;
};

// The same for single entries of one axis, each array evenly spaced: no rows to set up.
template <class T>
class IndexedEntries final : public Step {
public:
    IndexedEntries(const Description& d, const Op& op, bool scatter)
        : scatter_(scatter), whole_(scatter ? d.output(op, 0) : d.input(op, 0)),
          picked_(scatter ? d.input(op, 0) : d.output(op, 0)), index_(d.input(op, 1)) {}

    void run(Frame& frame) override {
        T* whole = reinterpret_cast<T*>(whole_.place.in(frame));
        T* picked = reinterpret_cast<T*>(picked_.place.in(frame));
        const auto* index = reinterpret_cast<const int64_t*>(index_.place.in(frame));
        if (scatter_) {
            for (int64_t i = 0; i < whole_.length; ++i) whole[i * whole_.stride] = T{};
            for (int64_t i = 0; i < index_.length; ++i)
                whole[at(index, i)] += picked[i * picked_.stride];
        } else {
            for (int64_t i = 0; i < index_.length; ++i)
                picked[i * picked_.stride] = whole[at(index, i)];
        }
    }

private:
    struct Line {
        explicit Line(const Slot& slot)
            : place(slot), length(slot.shape[0]), stride(slot.strides[0]) {}
        Place place;
        int64_t length, stride;
    };
    int64_t at(const int64_t* index, int64_t i) const {
        return checked(index[i * index_.stride], whole_.length, 0) * whole_.stride;
    }

    bool scatter_, takes_rows_ = false;
    Line whole_, picked_, index_;
};

}  // namespace

std::unique_ptr<Step> make_indexed(const Description& d, const Op& op, Scratch& scratch) {
    const bool scatter = op.code == OpCode::scatter_add;
    const Slot& whole = scatter ? d.output(op, 0) : d.input(op, 0);
    const Slot& picked = scatter ? d.input(op, 0) : d.output(op, 0);
    if (whole.shape.size() == 1 && picked.shape.size() == 1 && op.inputs.size() == 2) {
        if (whole.dtype == DType::f64)
            return std::make_unique<IndexedEntries<double>>(d, op, scatter);
        if (whole.dtype == DType::f32)
            return std::make_unique<IndexedEntries<float>>(d, op, scatter);
    }
    return std::make_unique<Indexed>(d, op, op.code == OpCode::scatter_add, scratch);
}

}  // namespace chainrule
