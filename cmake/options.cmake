# What a build can be asked for, and the flags that every target shares.
option(WEIR_TESTS "Build the tests" ON)
option(WEIR_BENCH "Build the benchmark programs" OFF)
option(WEIR_FUZZ "Build the libFuzzer programs; needs clang" OFF)
set(WEIR_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths relative to the checkout, so that a fresh clone finds what another one has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
                                  ${CCACHE})
endif()

add_library(weir_flags INTERFACE)
target_compile_options(weir_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                            -Woverloaded-virtual)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(weir_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 sees overlaps in plain std::string assignments when optimising (GCC bug 105651).
  target_compile_options(weir_flags INTERFACE -Wno-restrict)
endif()
target_include_directories(weir_flags INTERFACE ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR})
if(WEIR_SANITIZE)
  target_compile_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all
                                              -fno-omit-frame-pointer)
  target_link_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE})
  if(WEIR_SANITIZE MATCHES "thread")
    # GCC warns that TSan does not model atomic_thread_fence; Asio's use of it is benign here.
    target_compile_options(weir_flags INTERFACE -Wno-tsan)
  endif()
endif()

# weir_room(NAME SOURCES... [USES targets...]): one static library per room, named weir_NAME.
function(weir_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES" ${ARGN})
  add_library(weir_${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(weir_${name} PUBLIC weir_flags ${ROOM_USES})
endfunction()
