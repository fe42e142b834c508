# add_simd_sources(TARGET file.cpp ...): compiles each file once for every instruction set of the
# processor family, so that one binary serves all machines and chooses when it runs.
#
# Each copy sees CHAINRULE_SIMD, the name of its level (baseline, avx2 or avx512), and puts all it
# defines into a namespace of that name:
#
#   namespace chainrule::CHAINRULE_SIMD { void add(float* out, const float* a, ...) { ... } }
#
# Nothing outside that namespace may be inline there, templates of the standard library least of
# all: the linker keeps one copy of an inline function, perhaps the one with AVX-512 instructions.
# tests/test_packaging.py looks for such symbols. Elsewhere than on x86-64 there is one level, whose
# instructions (NEON on arm64) the compiler uses of itself.

set(CHAINRULE_SIMD_LEVELS baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  list(APPEND CHAINRULE_SIMD_LEVELS avx2 avx512)
endif()

# Sums that a kernel holds in registers are arrays to the address sanitizer, which would watch each
# entry; compiling that takes longer than all else. What lies outside the stack is watched.
set(_watched)
if(SANITIZE MATCHES address)
  set(_watched "SHELL:--param asan-stack=0")
endif()

# Keep in step with supported_level() in native/src/cpu.cpp.
set(_contract -ffp-contract=fast)
if(MSVC)
  set(_contract)
  set(_simd_flags_avx2 /arch:AVX2)
  set(_simd_flags_avx512 /arch:AVX512)
else()
  set(_simd_flags_avx2 -mavx2 -mfma -mprfchw)
  set(_simd_flags_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma
      -mprfchw -mprefer-vector-width=512)
endif()

# To test on a processor without AVX-512 what only its vectors' width decides.
option(AVX512_BY_AVX2 "Compile the files for AVX-512 into instructions of AVX2 (GCC only)" OFF)
if(AVX512_BY_AVX2)
  set(_simd_flags_avx512 ${_simd_flags_avx2} -Wno-psabi
      "SHELL:-include ${CMAKE_CURRENT_LIST_DIR}/../tests/avx512_by_avx2.hpp")
endif()

function(add_simd_sources target)
  foreach(level IN LISTS CHAINRULE_SIMD_LEVELS)
    set(objects ${target}_${level})
    if(NOT TARGET ${objects})
      add_library(${objects} OBJECT)
      set_target_properties(${objects} PROPERTIES
        POSITION_INDEPENDENT_CODE ON CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden)
      target_link_libraries(${objects} PRIVATE chainrule_options)
      target_compile_options(${objects} PRIVATE ${_watched} ${_contract} ${_simd_flags_${level}})
      target_compile_definitions(${objects} PRIVATE CHAINRULE_SIMD=${level})
      if(CHAINRULE_SIMD_LEVELS MATCHES avx2)
        target_compile_definitions(${objects} PRIVATE CHAINRULE_X86=1)
      endif()
      target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
    endif()
    target_sources(${objects} PRIVATE ${ARGN})
  endforeach()
endfunction()
