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

function(hadal_add_cuda)
  set(native ${CMAKE_CURRENT_SOURCE_DIR}/native)
  file(GLOB host CONFIGURE_DEPENDS ${native}/cuda/*.cpp ${native}/cuda/*/*.cpp)
  hadal_object_library(hadal_cuda_host ${host})
endfunction()

function(hadal_add_cuda_tests)
  set(native ${CMAKE_CURRENT_SOURCE_DIR}/native)
  file(GLOB kernels CONFIGURE_DEPENDS ${native}/cuda/*/*.cu)
  file(GLOB emulator CONFIGURE_DEPENDS ${native}/simt/*.cpp)
  hadal_emulated_kernels(hadal_cuda_emulated ${kernels})
  # Kernels of tests alone: for the emulator and the nvcc gate, not in the fatbin.
  file(GLOB test_kernels CONFIGURE_DEPENDS ${native}/tests/cuda/kernels/*.cu)
  hadal_emulated_kernels(hadal_cuda_test_kernels ${test_kernels})
  hadal_object_library(hadal_simt ${emulator})
  file(GLOB programs CONFIGURE_DEPENDS ${native}/tests/cuda/*_test.cpp)
  foreach(program IN LISTS programs)
    get_filename_component(name ${program} NAME_WE)
    hadal_add_test(cuda_${name} ${program})
    target_sources(cuda_${name} PRIVATE $<TARGET_OBJECTS:hadal_cuda_host>
      $<TARGET_OBJECTS:hadal_cuda_emulated> $<TARGET_OBJECTS:hadal_cuda_test_kernels>
      $<TARGET_OBJECTS:hadal_simt>)
    target_link_libraries(cuda_${name} PRIVATE ${CMAKE_DL_LIBS})
  endforeach()
  # The driver's own header, to compare with; nothing else needs it.
  find_path(HADAL_CUDA_HEADERS cuda.h PATHS ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES include)
  if(HADAL_CUDA_HEADERS)
    target_include_directories(cuda_driver_abi_test SYSTEM PRIVATE ${HADAL_CUDA_HEADERS})
  endif()
endfunction()
