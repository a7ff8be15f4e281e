# `cmake --install`: the static library, its headers, and a package for find_package(conse_fast).
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/conse_fast)

set_target_properties(conse_core PROPERTIES EXPORT_NAME core)
install(TARGETS conse_core EXPORT conse_fast_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY cpp/include/conse DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT conse_fast_targets NAMESPACE conse:: DESTINATION ${package_dir})
write_basic_package_version_file(conse_fastConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_package_config_file(cmake/conse_fastConfig.cmake.in conse_fastConfig.cmake INSTALL_DESTINATION ${package_dir})
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/conse_fastConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/conse_fastConfigVersion.cmake
  DESTINATION ${package_dir})
