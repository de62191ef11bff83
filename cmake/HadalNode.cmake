# The Node addon hadal.node. Headers come from the npm packages node-api-headers and node-addon-api, so
# that nothing is downloaded and any Node can build it.

function(hadal_node_headers result)
  find_program(HADAL_NODE_PROGRAM node REQUIRED)
  execute_process(
    COMMAND ${HADAL_NODE_PROGRAM} -p
      "['node-api-headers', 'node-addon-api'].map(n => require('path').resolve(require(n).include_dir)).join(';')"
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/packages/native
    OUTPUT_VARIABLE folders
    ERROR_VARIABLE problem
    RESULT_VARIABLE status
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR
      "node-api-headers and node-addon-api not found from packages/native: run `pnpm install` first, "
      "or configure with -DHADAL_NODE=OFF.\n${problem}")
  endif()
  set(${result} "${folders}" PARENT_SCOPE)
endfunction()

function(hadal_add_node_addon)
  hadal_node_headers(headers)
  set(native ${CMAKE_CURRENT_SOURCE_DIR}/native)
  file(GLOB sources CONFIGURE_DEPENDS ${native}/addon/*.cpp)
  add_library(hadal_node MODULE ${sources})
  hadal_target_flags(hadal_node)
  target_include_directories(hadal_node PRIVATE ${native} ${native}/include)
  target_include_directories(hadal_node SYSTEM PRIVATE ${headers})
  target_compile_definitions(hadal_node PRIVATE
    NAPI_VERSION=8 NODE_ADDON_API_CPP_EXCEPTIONS NODE_ADDON_API_DISABLE_DEPRECATED
    NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS BUILDING_NODE_EXTENSION)
  target_link_libraries(hadal_node PRIVATE hadal)
  set_target_properties(hadal_node PROPERTIES
    PREFIX "" OUTPUT_NAME hadal SUFFIX ".node" LIBRARY_OUTPUT_DIRECTORY ${HADAL_OUTPUT_DIR})
  if(APPLE)
    target_link_options(hadal_node PRIVATE -undefined dynamic_lookup -Wl,-dead_strip)
  else()
    # nodelete: the SIGBUS handler and exit hooks outlive the last environment that loads the addon.
    target_link_options(hadal_node PRIVATE
      -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,nodelete)
  endif()
endfunction()
