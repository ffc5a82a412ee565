# Programs that a probe could hurt and that need more than the loop over this folder's files gives them.

# `unwinding` with its runtime inside.
add_executable(program_unwinding_static unwinding.cpp)
set_target_properties(program_unwinding_static PROPERTIES OUTPUT_NAME unwinding_static)
target_compile_options(program_unwinding_static PRIVATE -O2 -g -fno-sanitize=all)
target_link_options(program_unwinding_static PRIVATE -static -fno-sanitize=all)

# Those that leave functions without a return, in processes that could switch stacks.
foreach(program unwinding cancel)
  add_executable(program_${program}_switching ${program}.cpp switching/switching.c)
  set_target_properties(program_${program}_switching PROPERTIES OUTPUT_NAME ${program}_switching)
  target_compile_options(program_${program}_switching PRIVATE -O2 -g -fno-ipa-icf -fno-sanitize=all)
  target_include_directories(program_${program}_switching PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_options(program_${program}_switching PRIVATE -fno-sanitize=all)
  target_link_libraries(program_${program}_switching PRIVATE Threads::Threads)
endforeach()

# `names` as a linker leaves it that folds identical code.
find_program(GOLD ld.gold)
if(GOLD)
  add_executable(program_names_folded names.cpp)
  set_target_properties(program_names_folded PROPERTIES OUTPUT_NAME names_folded)
  target_compile_options(program_names_folded PRIVATE -O2 -g -fno-ipa-icf -ffunction-sections -fno-sanitize=all)
  target_link_options(program_names_folded PRIVATE -fuse-ld=gold -Wl,--icf=all -fno-sanitize=all)
endif()
target_link_libraries(program_looks_back PRIVATE ${CMAKE_DL_LIBS})
target_link_options(program_looks_back PRIVATE -rdynamic)

# The libraries of `plugins`.
foreach(library provided middle plugin)
  set(source ${library})
  if(library STREQUAL plugin)
    set(source middle)
  endif()
  add_library(${library} SHARED plugins/${source}.cpp)
  target_include_directories(${library} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_options(${library} PRIVATE -O2 -g -fno-sanitize=all)
  target_compile_definitions(${library} PRIVATE ENTRY=from_${library})
  target_link_options(${library} PRIVATE -fno-sanitize=all)
endforeach()
target_link_libraries(middle PRIVATE provided)
target_link_libraries(plugin PRIVATE provided)
target_link_libraries(program_plugins PRIVATE provided middle ${CMAKE_DL_LIBS})
add_dependencies(program_plugins plugin)

# Rust and Go, with Debian's compilers and without the network.  Where they are missing their tests fail and say so.
find_program(RUSTC rustc PATHS /usr/bin NO_DEFAULT_PATH)
if(RUSTC)
  add_custom_command(
    OUTPUT ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/rust_panics
    COMMAND ${RUSTC} --edition 2021 -C opt-level=2 -C debuginfo=1 -o ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/rust_panics
            ${CMAKE_CURRENT_SOURCE_DIR}/rust_panics.rs
    DEPENDS rust_panics.rs VERBATIM)
  add_custom_target(program_rust_panics ALL DEPENDS ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/rust_panics)
endif()
find_program(GO go PATHS /usr/bin NO_DEFAULT_PATH)
if(GO)
  add_custom_command(
    OUTPUT ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/goroutines
    COMMAND ${CMAKE_COMMAND} -E env GO111MODULE=off CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local
            GOCACHE=${CMAKE_CURRENT_BINARY_DIR}/go-cache GOPATH=${CMAKE_CURRENT_BINARY_DIR}/go-path ${GO} build -o
            ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/goroutines ${CMAKE_CURRENT_SOURCE_DIR}/go/goroutines.go
    DEPENDS go/goroutines.go VERBATIM)
  add_custom_target(program_goroutines ALL DEPENDS ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/goroutines)
endif()
