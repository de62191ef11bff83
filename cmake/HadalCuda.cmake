# The CUDA side: the backend's host code (any C++ compiler), its kernels for the emulator (the same sources,
# compiled by the C++ compiler) with their tests, and the kernels for a GPU where nvcc is found.

# Kernel sources compiled as C++. -fsanitize=thread only for its calls at every load and store, which
# native/simt/hooks.cpp answers; its library is not linked.
function(hadal_emulated_kernels target)
  add_library(${target} OBJECT ${ARGN})
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_compile_options(${target} PRIVATE
    -x c++ -O2 -g1 -Wall -Wextra -Wno-unknown-pragmas -ffp-contract=off -fno-math-errno -fsanitize=thread)
  target_include_directories(${target} PRIVATE
    ${CMAKE_CURRENT_SOURCE_DIR}/native ${CMAKE_CURRENT_SOURCE_DIR}/native/include)
endfunction()

# A library that core opens at run time: one exported function, and of core only what it calls.
function(hadal_backend_library target)
  add_library(${target} MODULE ${ARGN} $<TARGET_OBJECTS:hadal_cuda_host>)
  hadal_target_flags(${target})
  target_include_directories(${target} PRIVATE
    ${CMAKE_CURRENT_SOURCE_DIR}/native ${CMAKE_CURRENT_SOURCE_DIR}/native/include)
  target_link_libraries(${target} PRIVATE hadal)
  target_link_options(${target} PRIVATE -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,nodelete)
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX .so)
endfunction()

# A file of kernels: each .cu a cubin of its own, packed and put one behind the other. Linked into one (-rdc=true) they
# take more registers, call a function to divide, and lose setmaxnreg (C7504). The cubins stay in the build folder,
# where a test reads their symbols. The flags are those of scripts/cuda-tools.mjs.
function(hadal_kernels_file fatbin folder)
  set(native ${CMAKE_CURRENT_SOURCE_DIR}/native)
  file(MAKE_DIRECTORY ${folder})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${native}/cuda/*.cuh ${native}/cuda/*.h ${native}/core/*.h)
  set(parts)
  foreach(source IN LISTS ARGN)
    get_filename_component(name ${source} NAME_WE)
    add_custom_command(OUTPUT ${folder}/${name}.cubin
      COMMAND ${HADAL_NVCC} -std=c++20 -O3 -gencode arch=compute_90a,code=sm_90a -I${native} -I${native}/include
        -cubin ${source} -o ${folder}/${name}.cubin
      DEPENDS ${source} ${headers} COMMENT "Compiling ${name}.cu for sm_90a" VERBATIM)
    add_custom_command(OUTPUT ${folder}/${name}.fatbin
      COMMAND ${HADAL_FATBINARY} -64 --compress-mode=size --create=${folder}/${name}.fatbin
        --image3=kind=elf,sm=90a,file=${folder}/${name}.cubin
      DEPENDS ${folder}/${name}.cubin COMMENT "Packing ${name}" VERBATIM)
    list(APPEND parts ${folder}/${name}.fatbin)
  endforeach()
  get_filename_component(file ${fatbin} NAME)
  add_custom_command(OUTPUT ${fatbin} COMMAND ${CMAKE_COMMAND} -E cat ${parts} > ${fatbin}
    DEPENDS ${parts} COMMENT "Writing ${file}" VERBATIM)
endfunction()

# Where nvcc is found: kernels.sm_90a.fatbin, which ships, and, when asked for, the probes of conformance_test.
function(hadal_add_cuda_fatbin)
  file(GLOB toolkits /usr/local/cuda*/bin)
  find_program(HADAL_NVCC nvcc HINTS ENV CUDACXX PATHS ${toolkits})
  if(NOT HADAL_NVCC)
    message(STATUS "no nvcc: no fatbin")
    return()
  endif()
  get_filename_component(toolkit ${HADAL_NVCC} DIRECTORY)
  find_program(HADAL_FATBINARY fatbinary HINTS ${toolkit} REQUIRED)
  file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/*/*.cu)
  set(probes ${kernels})
  list(FILTER kernels EXCLUDE REGEX "/conformance/")
  list(FILTER probes INCLUDE REGEX "/conformance/")
  hadal_kernels_file(${HADAL_OUTPUT_DIR}/kernels.sm_90a.fatbin ${CMAKE_CURRENT_BINARY_DIR}/kernels ${kernels})
  hadal_kernels_file(${HADAL_OUTPUT_DIR}/conformance.sm_90a.fatbin ${CMAKE_CURRENT_BINARY_DIR}/probes ${probes})
  add_custom_target(hadal_cuda_fatbin DEPENDS ${HADAL_OUTPUT_DIR}/kernels.sm_90a.fatbin)
  add_custom_target(hadal_cuda_probes DEPENDS ${HADAL_OUTPUT_DIR}/conformance.sm_90a.fatbin)
endfunction()

function(hadal_add_cuda)
  set(native ${CMAKE_CURRENT_SOURCE_DIR}/native)
  file(GLOB host CONFIGURE_DEPENDS ${native}/cuda/*.cpp ${native}/cuda/*/*.cpp)
  list(FILTER host EXCLUDE REGEX "/cuda/library/")
  hadal_object_library(hadal_cuda_host ${host})
  hadal_add_cuda_bench()
  if(NOT APPLE)
    hadal_backend_library(hadal_cuda ${native}/cuda/library/library.cpp)
    set_target_properties(hadal_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${HADAL_OUTPUT_DIR})
  endif()
  if(HADAL_FATBIN)
    hadal_add_cuda_fatbin()
  endif()
endfunction()

# The benchmark; its parts are an object library because a test runs them on the emulator.
function(hadal_add_cuda_bench)
  file(GLOB parts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/bench/cuda/*.cpp)
  list(FILTER parts EXCLUDE REGEX "/bench\\.cpp$")
  # all_rows() calls the function of every <family>_rows.cpp, so that none is forgotten in a list.
  set(calls "")
  foreach(part IN LISTS parts)
    get_filename_component(name ${part} NAME_WE)
    if(name MATCHES "_rows$")
      string(APPEND calls "  ${name}(rows);\n")
    endif()
  endforeach()
  set(all_rows ${CMAKE_BINARY_DIR}/all_rows.cpp)
  file(CONFIGURE OUTPUT ${all_rows} CONTENT "#include \"bench/cuda/bench.h\"\n
hadal::bench::Rows hadal::bench::all_rows() {\n  Rows rows;\n@calls@  return rows;\n}\n" @ONLY)
  hadal_object_library(hadal_cuda_bench_parts ${parts} ${all_rows})
  add_executable(hadal_cuda_bench ${CMAKE_CURRENT_SOURCE_DIR}/native/bench/cuda/bench.cpp
    $<TARGET_OBJECTS:hadal_cuda_bench_parts> $<TARGET_OBJECTS:hadal_cuda_host>)
  hadal_target_flags(hadal_cuda_bench)
  target_include_directories(hadal_cuda_bench PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/native)
  target_link_libraries(hadal_cuda_bench PRIVATE hadal)
  set_target_properties(hadal_cuda_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${HADAL_OUTPUT_DIR}/bench)
endfunction()

function(hadal_add_cuda_tests)
  set(native ${CMAKE_CURRENT_SOURCE_DIR}/native)
  file(GLOB kernels CONFIGURE_DEPENDS ${native}/cuda/*/*.cu)
  file(GLOB emulator CONFIGURE_DEPENDS ${native}/simt/*.cpp)
  list(FILTER kernels EXCLUDE REGEX "/conformance/")
  hadal_emulated_kernels(hadal_cuda_emulated ${kernels})
  # Kernels of tests alone and the probes: not in the fatbin nor in the table.
  file(GLOB test_kernels CONFIGURE_DEPENDS ${native}/tests/cuda/kernels/*.cu ${native}/cuda/conformance/*.cu)
  hadal_emulated_kernels(hadal_cuda_test_kernels ${test_kernels})
  hadal_object_library(hadal_simt ${emulator})
  file(GLOB programs CONFIGURE_DEPENDS ${native}/tests/cuda/*_test.cpp)
  add_custom_target(hadal_cuda_tests)
  foreach(program IN LISTS programs)
    get_filename_component(name ${program} NAME_WE)
    hadal_add_test(cuda_${name} ${program})
    add_dependencies(hadal_cuda_tests cuda_${name})
    target_sources(cuda_${name} PRIVATE $<TARGET_OBJECTS:hadal_cuda_host>
      $<TARGET_OBJECTS:hadal_cuda_emulated> $<TARGET_OBJECTS:hadal_simt>)
    # The table lists what ships.
    if(NOT name STREQUAL "table_test")
      target_sources(cuda_${name} PRIVATE $<TARGET_OBJECTS:hadal_cuda_test_kernels>)
    endif()
    target_link_libraries(cuda_${name} PRIVATE ${CMAKE_DL_LIBS})
  endforeach()
  target_compile_definitions(cuda_conformance_test PRIVATE HADAL_TEST_FOLDER="${native}/tests/cuda")
  # Runs the benchmark's parts on the emulator.
  target_sources(cuda_bench_test PRIVATE $<TARGET_OBJECTS:hadal_cuda_bench_parts>)
  # Reads the cubins, where there are any.
  if(TARGET hadal_cuda_fatbin)
    add_dependencies(cuda_kernels_file_test hadal_cuda_fatbin)
    target_compile_definitions(cuda_kernels_file_test PRIVATE
      HADAL_TEST_CUBINS="${CMAKE_CURRENT_BINARY_DIR}/kernels" HADAL_TEST_SOURCES="${native}/cuda"
      HADAL_TEST_FATBIN="${HADAL_OUTPUT_DIR}/kernels.sm_90a.fatbin")
  endif()
  if(NOT APPLE)
    hadal_backend_library(hadal_cuda_simt ${native}/tests/cuda/simt_library.cpp
      $<TARGET_OBJECTS:hadal_cuda_emulated> $<TARGET_OBJECTS:hadal_simt>)
    set_target_properties(hadal_cuda_simt PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${HADAL_OUTPUT_DIR}/tests)
    add_library(hadal_fake_libcuda MODULE ${native}/tests/cuda/fake_libcuda.cpp)
    hadal_target_flags(hadal_fake_libcuda)
    set_target_properties(hadal_fake_libcuda PROPERTIES
      PREFIX "" OUTPUT_NAME libcuda SUFFIX .so.1 LIBRARY_OUTPUT_DIRECTORY ${HADAL_OUTPUT_DIR}/tests/fake)
  endif()
  # The driver's own header, to compare with; nothing else needs it.
  find_path(HADAL_CUDA_HEADERS cuda.h PATHS ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES include)
  if(HADAL_CUDA_HEADERS)
    target_include_directories(cuda_driver_abi_test SYSTEM PRIVATE ${HADAL_CUDA_HEADERS})
  endif()
endfunction()
