# Compiler options of everything that is ours.
#   CONSE_COMPILE_OPTIONS  for every source
#   CONSE_FLOOR_OPTIONS    the lowest instruction set that the program supports, for all but the kernels
#
# No -march=native: the kernels choose at run time. No -ffast-math: it breaks NaN checks. No contraction of
# a * b + c into FMA: it would round differently from target to target.
include(CheckCXXCompilerFlag)

set(CONSE_COMPILE_OPTIONS -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -ffp-contract=off)
if(CONSE_WARNINGS_AS_ERRORS)
  list(APPEND CONSE_COMPILE_OPTIONS -Werror)
endif()
if(CONSE_SANITIZE)
  add_compile_options(-fsanitize=${CONSE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CONSE_SANITIZE})
endif()

set(CONSE_FLOOR_OPTIONS "")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  check_cxx_compiler_flag(-march=x86-64-v2 CONSE_KNOWS_x86_64_v2)
  set(CONSE_FLOOR_OPTIONS -msse4.2 -mpopcnt -mcx16)
  if(CONSE_KNOWS_x86_64_v2)
    set(CONSE_FLOOR_OPTIONS -march=x86-64-v2)
  endif()
endif()
