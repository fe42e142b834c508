// Counts the allocations of a process that loads this before everything else (LD_PRELOAD): what
// goes through malloc and its relatives, hence operator new, in all threads and all libraries.
// Memory that a library maps by itself is not seen. For the GNU C library.
#include <atomic>
#include <cerrno>
#include <cstddef>

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

static std::atomic<long> count;

long chainrule_allocations() { return count.load(); }

void* malloc(size_t size) {
    ++count;
    return __libc_malloc(size);
}

void* calloc(size_t number, size_t size) {
    ++count;
    return __libc_calloc(number, size);
}

void* realloc(void* memory, size_t size) {
    ++count;
    return __libc_realloc(memory, size);
}

void* memalign(size_t alignment, size_t size) {
    ++count;
    return __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void** memory, size_t alignment, size_t size) {
    *memory = memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}
}
