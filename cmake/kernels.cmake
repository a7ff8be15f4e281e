# The hot loops, compiled once per instruction set into object libraries.
#   CONSE_KERNEL_OBJECTS      their objects
#   CONSE_KERNEL_DEFINITIONS  CONSE_HAVE_<target> for each
set(CONSE_KERNEL_OBJECTS "")
set(CONSE_KERNEL_DEFINITIONS "")

# name: the psABI name. header: its registers. fused: whether it has FMA. Then the options that select it.
function(conse_add_kernels name header fused)
  string(REPLACE "-" "_" identifier ${name})
  set(library conse_kernels_${identifier})
  add_library(${library} OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/cpp/kernels/kernels.cpp)
  target_compile_definitions(${library} PRIVATE
    CONSE_TARGET_NAME="${name}" CONSE_TARGET_NAMESPACE=${identifier}
    CONSE_TARGET_HEADER="${header}" CONSE_TARGET_FUSED=${fused})
  # -O3 in every build type: intrinsics without inlining are slower than plain loops. -fno-math-errno: a square root is
  # an instruction, not a call of the C library.
  target_compile_options(${library} PRIVATE
    ${CONSE_COMPILE_OPTIONS} -O3 -fno-math-errno -fno-exceptions -fno-rtti -fno-lto ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC's AVX-512 headers start from deliberately uninitialised registers (GCC bug 105593). Functions of templates that
    # come out alike are kept apart: with sanitizers GCC 12 takes one for the other and warns about its bounds.
    target_compile_options(${library} PRIVATE -Wno-uninitialized -Wno-maybe-uninitialized -fno-ipa-icf)
  endif()
  set(CONSE_KERNEL_OBJECTS ${CONSE_KERNEL_OBJECTS} $<TARGET_OBJECTS:${library}> PARENT_SCOPE)
  set(CONSE_KERNEL_DEFINITIONS ${CONSE_KERNEL_DEFINITIONS} CONSE_HAVE_${identifier} PARENT_SCOPE)
endfunction()

# Adds an x86-64 level if the compiler can: by its name, or (GCC 10) by its features.
macro(conse_add_x86_level level header fused)
  string(REPLACE ";" " " features "${ARGN}")
  check_cxx_compiler_flag(-march=x86-64-${level} CONSE_KNOWS_x86_64_${level})
  check_cxx_compiler_flag("${features}" CONSE_KNOWS_FEATURES_${level})
  if(CONSE_KNOWS_x86_64_${level})
    conse_add_kernels(x86-64-${level} ${header} ${fused} -march=x86-64-${level})
  elseif(CONSE_KNOWS_FEATURES_${level})
    conse_add_kernels(x86-64-${level} ${header} ${fused} ${ARGN})
  endif()
endmacro()

# The last resort, for CPUs that are none of the others: -O3 makes it three times as large. (With -O2 x86-64-v2 would be
# a quarter smaller, and rankings take 1.8 to 3.6 times as long.)
conse_add_kernels(generic native_generic.hpp false -O2)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(v2 -msse4.2 -mpopcnt -mcx16)
  set(v3 ${v2} -mavx2 -mfma -mf16c -mbmi -mbmi2 -mlzcnt -mmovbe)
  conse_add_x86_level(v2 native_sse.hpp false ${v2})
  conse_add_x86_level(v3 native_avx2.hpp true ${v3})
  conse_add_x86_level(v4 native_avx512.hpp true ${v3} -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  conse_add_kernels(armv8-a native_neon.hpp true)
endif()
