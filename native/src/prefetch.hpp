// Asking for memory that will be needed soon. Macros, since GCC takes a function that does nothing
// else for one without effects, and drops calls of it.
#pragma once

#if defined(__GNUC__)
#define CHAINRULE_PREFETCH(address) __builtin_prefetch(address)
#define CHAINRULE_PREFETCH_TO_WRITE(address) __builtin_prefetch(address, 1)
#else
#define CHAINRULE_PREFETCH(address) static_cast<void>(address)
#define CHAINRULE_PREFETCH_TO_WRITE(address) static_cast<void>(address)
#endif
