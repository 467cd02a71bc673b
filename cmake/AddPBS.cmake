# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# Helpers for the parts that link MLIR.

# The headers every MLIR source pays for, compiled once and shared by all.
add_library(PBSPrecompiledHeaders OBJECT ${PROJECT_SOURCE_DIR}/cmake/PrecompiledHeaders.cpp)
target_include_directories(PBSPrecompiledHeaders SYSTEM PRIVATE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_compile_options(PBSPrecompiledHeaders PRIVATE -fno-rtti)
target_precompile_headers(PBSPrecompiledHeaders PRIVATE ${PROJECT_SOURCE_DIR}/cmake/PrecompiledHeaders.h)

# What every target that includes MLIR headers needs.
function(pbs_use_mlir target)
  target_include_directories(${target} SYSTEM PUBLIC "$<BUILD_INTERFACE:${MLIR_INCLUDE_DIRS};${LLVM_INCLUDE_DIRS}>")
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include;${PROJECT_BINARY_DIR}/include>")
  # Executables are compiled as libraries are (-fPIC, not -fPIE), else they could
  # not share the precompiled headers.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fPIC -fno-rtti)
  target_precompile_headers(${target} REUSE_FROM PBSPrecompiledHeaders)
endfunction()

# pbs_add_library(NAME sources... [LINK libraries...] [DEPENDS tablegen-targets...])
# A static library on top of the shared libMLIR and libLLVM; installed for passes
# that are built elsewhere.
function(pbs_add_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  pbs_use_mlir(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  # MLIR comes without run-time type information: who uses it has none either.
  target_compile_options(${name} INTERFACE
    $<INSTALL_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>>)
  target_compile_features(${name} INTERFACE $<INSTALL_INTERFACE:cxx_std_17>)
  install(TARGETS ${name} EXPORT PBSCompilerTargets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  set_property(GLOBAL APPEND PROPERTY PBS_COMPILER_LIBRARIES PBS::${name})
endfunction()

# pbs_add_tool(NAME sources... [LINK libraries...])
function(pbs_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  pbs_use_mlir(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} MLIR LLVM)
endfunction()
