# Compiler flags that every target of ours shares.

function(hadal_default_build_type)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
endfunction()

# Sources compile the same on every machine: no -march=native, no -ffast-math, no contraction of a*b+c,
# so that a result depends on the chosen kernel and on nothing else.
function(hadal_target_flags target)
  target_compile_features(${target} PRIVATE cxx_std_20 c_std_11)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
  target_compile_definitions(${target} PRIVATE HADAL_VERSION="${PROJECT_VERSION}")
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -ffp-contract=off -fno-math-errno -ffunction-sections -fdata-sections
    $<$<CONFIG:Release>:-O3>
    # GCC 12 sees overlapping copies in std::string operator+ that are not there (its bug 105651).
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>)
  hadal_sanitize(${target})
endfunction()

function(hadal_sanitize target)
  if(NOT HADAL_SANITIZE)
    return()
  endif()
  set(flags -fsanitize=${HADAL_SANITIZE} -fno-omit-frame-pointer -g)
  if(HADAL_SANITIZE MATCHES "undefined")
    list(APPEND flags -fno-sanitize-recover=undefined)
  endif()
  target_compile_options(${target} PRIVATE ${flags})
  target_link_options(${target} PRIVATE ${flags})
endfunction()

# Whether the target machine runs x86-64 code (also in a universal macOS build: only if it is the one).
function(hadal_is_x86_64 result)
  set(machine "${CMAKE_SYSTEM_PROCESSOR}")
  if(APPLE AND CMAKE_OSX_ARCHITECTURES)
    set(machine "${CMAKE_OSX_ARCHITECTURES}")
  endif()
  if(machine MATCHES "^(x86_64|amd64|AMD64)$")
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()
