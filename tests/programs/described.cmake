# `described` in the ways in which debug information differs: compiler, optimisation, DWARF version, split or typed units.
# At a fixed address, so that link addresses are those in memory.
function(described_program name)
  cmake_parse_arguments(ARG "CLANG" "" "COMPILE" ${ARGN})
  set(compiler ${CMAKE_CXX_COMPILER})
  if(ARG_CLANG)
    set(compiler ${CLANG} --driver-mode=g++)
  endif()
  set(output ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/${name})
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${compiler} -std=c++20 -fno-pie -no-pie -Wno-psabi ${ARG_COMPILE} -o ${output}
            ${CMAKE_CURRENT_SOURCE_DIR}/described/described.cpp
    DEPENDS described/described.cpp VERBATIM)
  add_custom_target(program_${name} ALL DEPENDS ${output})
endfunction()
described_program(described_O0 COMPILE -g -O0)
described_program(described_O2 COMPILE -g -O2)
described_program(described_dwarf4 COMPILE -gdwarf-4 -O0 -fdebug-types-section)
described_program(described_Os_dwarf4 COMPILE -gdwarf-4 -Os)
described_program(described_lto COMPILE -g -O3 -flto)
described_program(described_clang_O0 CLANG COMPILE -g -O0)
described_program(described_clang_O2 CLANG COMPILE -g -O2)
described_program(described_clang_dwarf4 CLANG COMPILE -gdwarf-4 -O1)
