# `exact` in every way in which compilers lay out arguments, results and their debug information.
add_custom_target(exact_programs)
file(GLOB exact_sources CONFIGURE_DEPENDS exact/*.cpp)
function(exact_program name)
  add_executable(program_exact_${name} EXCLUDE_FROM_ALL ${exact_sources})
  add_dependencies(exact_programs program_exact_${name})
  set_target_properties(program_exact_${name} PROPERTIES OUTPUT_NAME exact_${name})
  target_compile_options(program_exact_${name} PRIVATE -g -fno-ipa-icf -fno-sanitize=all -Wno-psabi ${ARGN})
  target_link_options(program_exact_${name} PRIVATE -fno-sanitize=all ${ARGN})
endfunction()
exact_program(gcc_O0 -O0)
exact_program(gcc_O2 -O2)
exact_program(gcc_lto -g -O3 -flto)
exact_program(gcc_dwarf4 -O2 -gdwarf-4 -fcf-protection=full -fno-omit-frame-pointer)

# Its debug information in a file beside it, found by .gnu_debuglink alone.
exact_program(gcc_debuglink -O2 -Wl,--build-id=none)
add_custom_command(TARGET program_exact_gcc_debuglink POST_BUILD
  COMMAND ${CMAKE_OBJCOPY} --only-keep-debug exact_gcc_debuglink exact_gcc_debuglink.debug
  COMMAND ${CMAKE_OBJCOPY} --strip-all --add-gnu-debuglink=exact_gcc_debuglink.debug exact_gcc_debuglink
  WORKING_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} VERBATIM)

# By clang++, with either library.  Where these are missing their tests fail and say so.
find_program(CLANGXX NAMES clang++)
find_path(LIBCXX NAMES c++/v1/__config PATHS /usr/lib/llvm-14/include /usr/include NO_DEFAULT_PATH)
function(exact_clang_program name)
  set(output ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/exact_${name})
  file(GLOB headers CONFIGURE_DEPENDS exact/*.h)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CLANGXX} -std=c++20 -g ${ARGN} -o ${output} ${exact_sources}
    DEPENDS ${exact_sources} ${headers} protocol.h VERBATIM)
  add_custom_target(program_exact_${name} DEPENDS ${output})
  add_dependencies(exact_programs program_exact_${name})
endfunction()
if(CLANGXX)
  exact_clang_program(clang_O0 -O0)
  exact_clang_program(clang_O2 -O2)
  if(LIBCXX)
    exact_clang_program(libcxx_O0 -O0 -stdlib=libc++)
    exact_clang_program(libcxx_O2 -O2 -stdlib=libc++)
  endif()
endif()

# In Rust and Go, optimised and not.
function(exact_command name source)
  set(output ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/exact_${name})
  add_custom_command(OUTPUT ${output} COMMAND ${ARGN} -o ${output} ${CMAKE_CURRENT_SOURCE_DIR}/${source}
                     DEPENDS ${source} VERBATIM)
  add_custom_target(program_exact_${name} DEPENDS ${output})
  add_dependencies(exact_programs program_exact_${name})
endfunction()
if(RUSTC)
  set(rust ${RUSTC} --edition 2021 --crate-name exact_rust -C debuginfo=2)
  exact_command(rust_O0 exact.rs ${rust} -C opt-level=0)
  exact_command(rust_O2 exact.rs ${rust} -C opt-level=2)
endif()
if(GO)
  set(go ${CMAKE_COMMAND} -E env GO111MODULE=off CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local
         GOCACHE=${CMAKE_CURRENT_BINARY_DIR}/go-cache GOPATH=${CMAKE_CURRENT_BINARY_DIR}/go-path ${GO} build)
  exact_command(go_O0 go/exact.go ${go} -gcflags=-N\ -l)
  exact_command(go go/exact.go ${go})
endif()
