# Native tests: every native/tests/*_test.cpp is one program, and abi.c proves that the header is C.
# A program prints `N passed, N failed, N skipped` as its last line and exits with 0 or 1.

function(hadal_add_test name)
  add_executable(${name} ${ARGN})
  hadal_target_flags(${name})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/native)
  target_link_libraries(${name} PRIVATE hadal)
  set_target_properties(${name} PROPERTIES
    LINKER_LANGUAGE CXX RUNTIME_OUTPUT_DIRECTORY ${HADAL_OUTPUT_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()

function(hadal_add_tests)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/native/tests)
  file(GLOB programs CONFIGURE_DEPENDS ${folder}/*_test.cpp)
  foreach(program IN LISTS programs)
    get_filename_component(name ${program} NAME_WE)
    hadal_add_test(${name} ${program})
  endforeach()
  if(EXISTS ${folder}/abi.c)
    hadal_add_test(abi ${folder}/abi.c)
    set_target_properties(abi PROPERTIES C_EXTENSIONS OFF)
    target_compile_options(abi PRIVATE -Wpedantic)
  endif()
endfunction()
