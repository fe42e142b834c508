// The extension module chainrule._native: what Python sees of the core, and nothing else.

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <string>

#include "bound_array.hpp"
#include "chainrule/cpu.hpp"
#include "chainrule/program.hpp"
#include "held.hpp"
#include "lapack.hpp"
#include "shuffling.hpp"
#include "thread_pool.hpp"
#include "words_module.hpp"

namespace nb = nanobind;
using namespace chainrule;

namespace {

constexpr const char* dtype_names[] = {"f32",  "f64",  "i64",  "i32", "bool",
                                       "raw1", "raw2", "raw4", "raw8"};
constexpr const char* kind_names[] = {"arena", "constant", "input", "updated_input", "output"};
constexpr const char* op_names[] = {"elementwise", "reduce",       "map_rows",    "cross_entropy",
                                    "multiply",    "gather",       "scatter_add", "random_uniform",
                                    "callback",    "check_finite", "scan",        "combine_rows",
                                    "first_rows",  "put_rows",     "argsort",     "matrices"};
constexpr const char* binding_names[] = {"whole",   "entry",   "workspace", "written_entry",
                                         "updated", "carried", "recorded",  "next"};
constexpr const char* reduction_names[] = {"sum",       "max",  "min",    "prod",
                                           "logsumexp", "norm", "argmax", "argmin"};
constexpr const char* matrix_names[] = {"solve",    "solve_lower", "solve_upper", "inv",
                                        "cholesky", "det",         "logabsdet",   "signdet"};
constexpr const char* map_names[] = {"softmax", "log_softmax", "cumsum", "standardise"};

using SlotRow = std::tuple<int, int64_t, int, std::vector<int64_t>, std::vector<int64_t>>;
using OpRow =
    std::tuple<int, std::vector<int>, std::vector<int>, std::vector<int64_t>, std::vector<double>,
               std::vector<std::tuple<int, int, int, int>>, std::vector<int>>;
using BodyRow = std::tuple<nb::list, std::vector<SlotRow>, std::vector<OpRow>, nb::list>;

template <class Enum>
Enum enumerator(int value, int count, const char* what) {
    if (value < 0 || value >= count) throw std::invalid_argument(what);
    return static_cast<Enum>(value);
}

class PyProgram {
public:
    PyProgram(const nb::list& buffers, const std::vector<SlotRow>& slots,
              const std::vector<OpRow>& ops, int callbacks, const nb::list& bodies)
        : program_(describe(buffers, slots, ops, callbacks, bodies, 0)) {}

    // (steps done, whether a check stopped it)
    std::pair<int64_t, bool> run(const nb::sequence& inputs, const nb::sequence& outputs,
                                 const nb::list& callbacks, bool flush_denormals, int64_t steps,
                                 const std::vector<int64_t>& input_strides,
                                 const std::vector<int64_t>& output_strides, double seconds,
                                 int threads, const std::vector<std::pair<int, nb::object>>& copied,
                                 int64_t every, int64_t first) {
        std::vector<Held> held_inputs(program_.inputs().size()),
            held_outputs(program_.outputs().size());
        std::vector<char*> in, out;
        take(inputs, program_.inputs(), held_inputs, in, steps, input_strides, "input");
        take(outputs, program_.outputs(), held_outputs, out, steps, output_strides, "output");
        std::vector<Held> held_copies(copied.size());
        const Program::Copies copies = copies_of(copied, held_copies, steps, every, first);
        if (nb::len(callbacks) < static_cast<size_t>(program_.description().callbacks))
            throw std::invalid_argument("a callback is missing");
        const std::function<void(int)> call = [&callbacks](int number) {
            nb::gil_scoped_acquire acquired;
            callbacks[static_cast<size_t>(number)]();
        };
        nb::gil_scoped_release released;
        const auto outcome =
            program_.run(in.data(), out.data(), call, flush_denormals, steps, input_strides,
                         output_strides, seconds, threads, copied.empty() ? nullptr : &copies);
        return {outcome.steps, outcome.stopped};
    }

    // For each operation, whether several threads share it where there are several.
    std::vector<bool> spread() const { return program_.spread(); }

    // For each operation, whether it is a chain that has a loop of its own.
    std::vector<bool> own_loops() const { return program_.own_loops(); }

    nb::object arena(int buffer) {
        const auto& buffers = program_.description().buffers;
        if (buffer < 0 || static_cast<size_t>(buffer) >= buffers.size() ||
            buffers[static_cast<size_t>(buffer)].kind > Buffer::Kind::constant)
            throw std::invalid_argument("not a buffer that the program owns");
        return nb::steal(PyMemoryView_FromMemory(
            program_.arena(buffer), buffers[static_cast<size_t>(buffer)].bytes, PyBUF_WRITE));
    }

private:
    static Description describe(const nb::list& buffers, const std::vector<SlotRow>& slots,
                                const std::vector<OpRow>& ops, int callbacks,
                                const nb::list& bodies, int depth) {
        if (depth > deepest_body) throw std::invalid_argument("scans that are nested too deeply");
        Description d;
        d.callbacks = callbacks;
        for (nb::handle row : buffers) {
            std::tuple<int, int64_t, nb::object> parts;
            if (!nb::try_cast(row, parts)) throw std::invalid_argument("a buffer that is not one");
            const auto& [kind, bytes, data] = parts;
            Buffer buffer{enumerator<Buffer::Kind>(kind, 5, "a buffer of unknown kind"), bytes, {}};
            if (!data.is_none()) {
                Held held;
                const char* start = held.take(data.ptr(), false);
                buffer.data.assign(start, static_cast<size_t>(held.bytes()));
            }
            d.buffers.push_back(std::move(buffer));
        }
        for (const auto& [buffer, offset, dtype, shape, strides] : slots)
            d.slots.push_back(
                {buffer, offset, enumerator<DType>(dtype, 9, "an unknown dtype"), shape, strides});
        for (const auto& [code, inputs, outputs, ints, floats, block, results] : ops) {
            Op op{enumerator<OpCode>(code, std::size(op_names), "an unknown operation"),
                  inputs,
                  outputs,
                  ints,
                  floats,
                  {},
                  results};
            for (const auto& [kernel, a, b, c] : block) op.block.push_back({kernel, {a, b, c}});
            d.ops.push_back(std::move(op));
        }
        for (nb::handle row : bodies) {
            BodyRow body;
            if (!nb::try_cast(row, body)) throw std::invalid_argument("a body that is not one");
            const auto& [inner_buffers, inner_slots, inner_ops, inner_bodies] = body;
            d.bodies.push_back(describe(inner_buffers, inner_slots, inner_ops, callbacks,
                                        inner_bodies, depth + 1));
        }
        return d;
    }

    // Where copies of inputs go, memory large enough for as many as there will be.
    Program::Copies copies_of(const std::vector<std::pair<int, nb::object>>& copied,
                              std::vector<Held>& held, int64_t steps, int64_t every,
                              int64_t first) {
        Program::Copies copies{};
        if (copied.empty()) return copies;
        if (every < 1 || first < 1)
            throw std::invalid_argument("copies are made after at least one step");
        copies.every = every;
        copies.first = first;
        const int64_t count = steps < first ? 0 : (steps - first) / every + 1;
        for (size_t i = 0; i < copied.size(); ++i) {
            const auto& [input, target] = copied[i];
            if (input < 0 || static_cast<size_t>(input) >= program_.inputs().size())
                throw std::invalid_argument("a copy of an input that is not there");
            const auto buffer = static_cast<size_t>(program_.inputs()[static_cast<size_t>(input)]);
            const int64_t bytes = program_.description().buffers[buffer].bytes;
            copies.inputs.push_back(static_cast<size_t>(input));
            copies.to.push_back(held[i].take(target.ptr(), true));
            if (bytes > 0 && held[i].bytes() / bytes < count)
                throw std::invalid_argument("the memory for copies of input " +
                                            std::to_string(input) + " holds fewer than " +
                                            std::to_string(count));
        }
        return copies;
    }

    void take(const nb::sequence& given, const std::vector<int>& wanted, std::vector<Held>& held,
              std::vector<char*>& pointers, int64_t steps, const std::vector<int64_t>& strides,
              const char* what) {
        if (nb::len(given) != wanted.size() ||
            (!strides.empty() && strides.size() != wanted.size()))
            throw std::invalid_argument(std::string("the program needs ") +
                                        std::to_string(wanted.size()) + " " + what + "s");
        pointers.reserve(wanted.size());
        for (size_t i = 0; i < wanted.size(); ++i) {
            const Buffer& buffer = program_.description().buffers[static_cast<size_t>(wanted[i])];
            const nb::object item = given[i];
            pointers.push_back(held[i].take(item.ptr(), buffer.kind != Buffer::Kind::input));
            const int64_t stride = strides.empty() ? 0 : strides[i];
            const int64_t spare = held[i].bytes() - buffer.bytes;
            const bool fits = stride == 0 ? spare >= 0
                                          : stride > 0 && steps >= 1 && spare >= 0 &&
                                                (steps - 1) <= spare / stride;
            if (!fits)
                throw std::invalid_argument(std::string(what) + " " + std::to_string(i) + " has " +
                                            std::to_string(held[i].bytes()) +
                                            " bytes, fewer than " + std::to_string(buffer.bytes) +
                                            " for each step");
            if (buffer.bytes > 0 && reinterpret_cast<uintptr_t>(pointers.back()) % 4 != 0 &&
                buffer.bytes % 4 == 0)
                throw std::invalid_argument(std::string(what) + " is not aligned");
        }
    }

    Program program_;
};

// The address of a function that SciPy exports, after a look at its signature: the name of the
// capsule says which integers it takes. `parameters` has a letter for each of them: c for
// characters, i for integers, n for numbers.
void* address_of(const nb::dict& api, const char* name, const std::string& parameters, bool& wide) {
    const nb::object capsule = api[name];
    const char* signature = PyCapsule_GetName(capsule.ptr());
    if (!signature) throw nb::python_error();
    const std::string text = signature, start = "void (";
    const auto refuse = [&] {
        throw std::invalid_argument("an unexpected signature of " + std::string(name) + ": " +
                                    text);
    };
    if (text.rfind(start, 0) != 0 || text.back() != ')') refuse();
    size_t position = start.size();
    for (size_t i = 0; i < parameters.size(); ++i) {
        const bool last = i + 1 == parameters.size();
        const size_t end = last ? text.size() - 1 : text.find(", ", position);
        if (end == std::string::npos) refuse();
        const std::string type = text.substr(position, end - position);
        const bool is_int = type == "int *";
        const bool is_wide = type == "int64_t *" || type == "long long *" ||
                             type == "npy_int64 *" || type == "blas_int *" || type == "long *";
        if (parameters[i] == 'c' && type != "char *") refuse();
        if (parameters[i] == 'i') {
            if (!is_int && !is_wide) refuse();
            wide = is_wide;
        }
        if (parameters[i] == 'n' &&
            (is_int || is_wide || type == "char *" || type.find(',') != std::string::npos))
            refuse();
        position = end + 2;
    }
    void* address = PyCapsule_GetPointer(capsule.ptr(), signature);
    if (!address) throw nb::python_error();
    return address;
}

template <size_t count>
nb::dict numbered(const char* const (&names)[count]) {
    nb::dict numbers;
    for (size_t i = 0; i < count; ++i) numbers[names[i]] = static_cast<int>(i);
    return numbers;
}

}  // namespace

NB_MODULE(_native, module) {
    // Plans live as long as what caches them, which may be the interpreter.
    nb::set_leak_warnings(false);
    nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
        try {
            std::rethrow_exception(thrown);
        } catch (const SingularMatrix& error) {
            const nb::object type = nb::module_::import_("numpy.linalg").attr("LinAlgError");
            PyErr_SetString(type.ptr(), error.what());
        }
    });
    module.doc() = "The native core of chainrule: op lists run over buffers.";
    module.def(
        "build_info",
        [] {
            nb::dict info;
            info["compiler"] = CHAINRULE_COMPILER;
            info["sanitize"] = CHAINRULE_SANITIZE;
            info["simd_levels"] = nb::str(CHAINRULE_SIMD_LEVELS).attr("split")();
            info["simd_level"] = chainrule::name(chainrule::supported_level());
            return info;
        },
        "How the core was built and which of its instruction sets this machine runs.");
    module.def(
        "load_blas",
        [](const nb::dict& api) {
            Blas found;
            bool wide = false;
            const char* gemm = "cciiinnininni";
            found.sgemm = address_of(api, "sgemm", gemm, wide);
            found.dgemm = address_of(api, "dgemm", gemm, found.wide);
            if (wide != found.wide) throw std::invalid_argument("BLAS of two kinds of integers");
            blas() = found;
        },
        nb::arg("api"), "Take products of matrices from scipy.linalg.cython_blas.__pyx_capi__.");
    module.def(
        "loops_on_threads", [] { return thread_pool().loops(); },
        "How many loops more than one thread could take part in so far.");
    module.def(
        "load_lapack",
        [](const nb::dict& api) {
            Lapack found;
            bool wide[8] = {};
            for (size_t i = 0; i < 2; ++i) {
                const std::string letter = i == 0 ? "s" : "d";
                const auto get = [&](const char* name, const char* parameters, bool& is_wide) {
                    return address_of(api, (letter + name).c_str(), parameters, is_wide);
                };
                found.getrf[i] = get("getrf", "iiniii", wide[4 * i]);
                found.getrs[i] = get("getrs", "ciiniinii", wide[4 * i + 1]);
                found.potrf[i] = get("potrf", "cinii", wide[4 * i + 2]);
                found.trtrs[i] = get("trtrs", "ccciininii", wide[4 * i + 3]);
            }
            found.wide = wide[0];
            for (bool other : wide)
                if (other != found.wide)
                    throw std::invalid_argument("LAPACK of two kinds of integers");
            lapack() = found;
        },
        nb::arg("api"), "Take factorisations from scipy.linalg.cython_lapack.__pyx_capi__.");
    module.def(
        "shuffle",
        [](const nb::capsule& generator, const nb::object& rows, int64_t length) {
            const Array<int64_t> numbers(rows, "rows", true);
            if (length < 1 || length > UINT32_MAX || numbers.size() % length != 0)
                throw std::invalid_argument("rows of another length");
            const auto* bits = static_cast<const BitGenerator*>(generator.data("BitGenerator"));
            for (int64_t start = 0; start < numbers.size(); start += length)
                shuffle(*bits, numbers.data() + start, length);
        },
        nb::arg("generator"), nb::arg("rows"), nb::arg("length"),
        "Bring rows of numbers into random orders, by the capsule of a bit generator of NumPy's.");
    module.attr("LAPACK_ROWS") = lapack_rows;
    module.def("blas_is_loaded", [] { return blas().sgemm != nullptr; });
    module.def(
        "blas_threshold", [] { return blas_threshold(); },
        "How many multiplications a product has from which BLAS does it.");
    module.def("set_blas_threshold", [](int64_t value) { blas_threshold() = value; });
    module.def(
        "kernels",
        [] {
            nb::dict numbers;
            const KernelTable& table = kernels();
            for (int i = 0; i < table.block_count; ++i) {
                const BlockEntry& entry = table.blocks[i];
                std::string name = entry.name;
                // Conversions are named by what they give and what they take.
                numbers[name.c_str()] =
                    nb::make_tuple(i, entry.arity, dtype_names[static_cast<int>(entry.result)]);
            }
            return numbers;
        },
        "name.dtype -> (number, operands, dtype of the result).");
    module.attr("DTYPES") = numbered(dtype_names);
    module.attr("BUFFERS") = numbered(kind_names);
    module.attr("OPERATIONS") = numbered(op_names);
    module.attr("REDUCTIONS") = numbered(reduction_names);
    module.attr("MATRIX_FUNCTIONS") = numbered(matrix_names);
    module.attr("BINDINGS") = numbered(binding_names);
    module.attr("ROW_MAPS") = numbered(map_names);
    nb::class_<PyProgram>(module, "Program")
        .def(nb::init<const nb::list&, const std::vector<SlotRow>&, const std::vector<OpRow>&, int,
                      const nb::list&>(),
             nb::arg("buffers"), nb::arg("slots"), nb::arg("operations"), nb::arg("callbacks"),
             nb::arg("bodies") = nb::list())
        .def("run", &PyProgram::run, nb::arg("inputs"), nb::arg("outputs"),
             nb::arg("callbacks") = nb::list(), nb::arg("flush_denormals") = false,
             nb::arg("steps") = 1, nb::arg("input_strides") = std::vector<int64_t>(),
             nb::arg("output_strides") = std::vector<int64_t>(), nb::arg("seconds") = 0.0,
             nb::arg("threads") = 1, nb::arg("copied") = std::vector<std::pair<int, nb::object>>(),
             nb::arg("every") = 0, nb::arg("first") = 0)
        .def("spread", &PyProgram::spread)
        .def("own_loops", &PyProgram::own_loops)
        .def("arena", &PyProgram::arena, nb::arg("buffer"), nb::rv_policy::reference_internal);
    bind_words(module);
}
