# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# What a GPU bundle builds without CMake: scripts/gpu_bundle/check.py reads it.

# JSON of a list that is only known when the build is generated.
function(pbs_json_list result value)
  set(${result} "[$<$<BOOL:${value}>:\"$<JOIN:$<REMOVE_DUPLICATES:${value}>,\",\">\">]" PARENT_SCOPE)
endfunction()

# Writes FILE: for each target its type, folder, sources and what they are compiled and linked with.
function(pbs_write_bundle_manifest file)
  set(rows "")
  foreach(target ${ARGN})
    set(row "")
    foreach(property SOURCES INCLUDE_DIRECTORIES COMPILE_OPTIONS COMPILE_DEFINITIONS LINK_LIBRARIES LINK_OPTIONS)
      pbs_json_list(values "$<TARGET_PROPERTY:${target},${property}>")
      string(TOLOWER ${property} name)
      string(APPEND row ",\n \"${name}\": ${values}")
    endforeach()
    list(APPEND rows "\"${target}\": {\"type\": \"$<TARGET_PROPERTY:${target},TYPE>\",
 \"source_dir\": \"$<TARGET_PROPERTY:${target},SOURCE_DIR>\"${row}}")
  endforeach()
  list(JOIN rows ",\n" rows)
  file(GENERATE OUTPUT ${file} CONTENT "{\"root\": \"${PROJECT_SOURCE_DIR}\", \"targets\": {\n${rows}\n}}\n")
endfunction()
