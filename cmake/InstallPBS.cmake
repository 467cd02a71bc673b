# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What `cmake --install` leaves: tools, libpbs_runtime with its header, the
# emulated CUDA driver, the libraries and headers of the compiler, and how CMake
# and pkg-config find them. The tree may be moved.

include(CMakePackageConfigHelpers)

set(PBS_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/PBS)
set(PBS_PKGCONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS pbs_runtime EXPORT PBSTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES runtime/include/pbs_runtime.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT PBSTargets NAMESPACE PBS:: DESTINATION ${PBS_CMAKE_DIR})
get_property(PBS_COMPILER_LIBRARIES GLOBAL PROPERTY PBS_COMPILER_LIBRARIES)
configure_package_config_file(cmake/PBSConfig.cmake.in PBSConfig.cmake
  INSTALL_DESTINATION ${PBS_CMAKE_DIR} PATH_VARS CMAKE_INSTALL_BINDIR)
write_basic_package_version_file(PBSConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH PBS_PREFIX_FROM_PKGCONFIG /prefix/${PBS_PKGCONFIG_DIR} /prefix)
string(REGEX REPLACE "/$" "" PBS_PREFIX_FROM_PKGCONFIG ${PBS_PREFIX_FROM_PKGCONFIG})
configure_file(cmake/pbs-runtime.pc.in pbs-runtime.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/PBSConfig.cmake ${PROJECT_BINARY_DIR}/PBSConfigVersion.cmake
  DESTINATION ${PBS_CMAKE_DIR})
install(FILES ${PROJECT_BINARY_DIR}/pbs-runtime.pc DESTINATION ${PBS_PKGCONFIG_DIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
# Where no program finds it that does not ask for it.
install(TARGETS PBSEmulatedDriver
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/pbs/emulated-driver NAMELINK_SKIP)
install(TARGETS pbs-launch)
if(PBS_BUILD_COMPILER)
  install(EXPORT PBSCompilerTargets NAMESPACE PBS:: DESTINATION ${PBS_CMAKE_DIR})
  install(DIRECTORY include/pbs ${PROJECT_BINARY_DIR}/include/pbs
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.td" PATTERN "*.inc" PATTERN CMakeFiles EXCLUDE)
  install(TARGETS pbs-compile pbs-gen pbs-lsp-server pbs-opt pbs-run)
endif()
