# The static library `hadal`: core, CPU ops, grammars. Object libraries, because core names the CPU backend and
# the CPU ops use core, a cycle that archives would need to be listed twice for.

# Only these files are compiled for more than the base instruction set; they are entered after a CPUID test.
function(hadal_leaf_flags)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/native/cpu/kernels)
  set_source_files_properties(${folder}/avx2.cpp PROPERTIES
    COMPILE_OPTIONS "-mavx2;-mfma;-mf16c;-mbmi2")
  set_source_files_properties(${folder}/avx512.cpp PROPERTIES
    COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx2;-mfma;-mf16c;-mbmi2")
  set_source_files_properties(${folder}/avx512bf16.cpp PROPERTIES
    COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx512vbmi;-mavx512bf16;-mavx2;-mfma;-mf16c;-mbmi2")
  set_source_files_properties(${folder}/avx512vbmi.cpp PROPERTIES
    COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx512vbmi;-mavx2;-mfma;-mf16c;-mbmi2")
endfunction()

function(hadal_object_library name)
  add_library(${name} OBJECT ${ARGN})
  hadal_target_flags(${name})
  target_include_directories(${name} PRIVATE
    ${CMAKE_CURRENT_SOURCE_DIR}/native ${CMAKE_CURRENT_SOURCE_DIR}/native/include)
endfunction()

function(hadal_add_library)
  set(native ${CMAKE_CURRENT_SOURCE_DIR}/native)
  file(GLOB core CONFIGURE_DEPENDS ${native}/core/*.cpp)
  file(GLOB cpu CONFIGURE_DEPENDS ${native}/cpu/*.cpp)
  file(GLOB kernels CONFIGURE_DEPENDS ${native}/cpu/kernels/*.cpp)
  file(GLOB grammar CONFIGURE_DEPENDS ${native}/grammar/*.cpp)
  hadal_is_x86_64(x86)
  if(NOT x86)
    list(FILTER kernels EXCLUDE REGEX "/avx[0-9a-z_]*\\.cpp$")
  endif()

  hadal_object_library(hadal_core ${core})
  hadal_leaf_flags()
  hadal_object_library(hadal_cpu ${cpu} ${kernels})

  hadal_object_library(hadal_grammar ${grammar})

  find_package(Threads REQUIRED)
  add_library(hadal STATIC
    $<TARGET_OBJECTS:hadal_core> $<TARGET_OBJECTS:hadal_cpu> $<TARGET_OBJECTS:hadal_grammar>)
  target_include_directories(hadal PUBLIC ${native}/include)
  target_link_libraries(hadal PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
endfunction()
