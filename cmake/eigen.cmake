# Finds the headers of Eigen 3.4.1 and sets CONSE_EIGEN_DIR:
#   1. CONSE_EIGEN_INCLUDE_DIR, for builds without Python;
#   2. third_party/eigen, where a source distribution carries them and step 3 leaves them;
#   3. the Python package cmeel-eigen, a build requirement of checkouts, copied to third_party/eigen.
# The copy is checked against the hash of the release. find_package(Eigen3) is not asked: it finds stale copies.
set(CONSE_EIGEN_SHA256 "4fd6cd435f0861914c4edad1adfc83ea5282a21473bba1391e5cbfa8635d4ade")
set(staged ${CMAKE_CURRENT_SOURCE_DIR}/third_party/eigen)

function(conse_hash_of_tree folder result)
  file(GLOB_RECURSE files RELATIVE ${folder} LIST_DIRECTORIES false ${folder}/Eigen/*)
  list(SORT files COMPARE STRING)
  set(hashes "")
  foreach(file IN LISTS files)
    file(SHA256 ${folder}/${file} hash)
    string(APPEND hashes "${hash}  ${file}\n")
  endforeach()
  string(SHA256 hash "${hashes}")
  set(${result} ${hash} PARENT_SCOPE)
endfunction()

if(CONSE_EIGEN_INCLUDE_DIR)
  if(NOT EXISTS ${CONSE_EIGEN_INCLUDE_DIR}/Eigen/Core)
    message(FATAL_ERROR "CONSE_EIGEN_INCLUDE_DIR is ${CONSE_EIGEN_INCLUDE_DIR}, which holds no Eigen/Core")
  endif()
  set(CONSE_EIGEN_DIR ${CONSE_EIGEN_INCLUDE_DIR})
  return()
endif()

if(NOT EXISTS ${staged}/Eigen/Core)
  find_package(Python REQUIRED COMPONENTS Interpreter)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c "import importlib.metadata as m; print(m.distribution('cmeel-eigen').locate_file('cmeel.prefix/include/eigen3'))"
    OUTPUT_VARIABLE source OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed OR NOT EXISTS ${source}/Eigen/Core)
    message(FATAL_ERROR "Eigen 3.4.1 is missing: 'pip install cmeel-eigen==3.4.1' into the Python that builds, "
      "or set CONSE_EIGEN_INCLUDE_DIR to a folder that holds Eigen/Core")
  endif()
  file(COPY ${source}/Eigen DESTINATION ${staged})
endif()
conse_hash_of_tree(${staged} hash)
if(NOT hash STREQUAL CONSE_EIGEN_SHA256)
  message(FATAL_ERROR "third_party/eigen is not Eigen 3.4.1 as released (hash ${hash}); delete that folder and build again")
endif()
set(CONSE_EIGEN_DIR ${staged})
