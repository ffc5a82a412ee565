# `split` by each compiler in each version of split DWARF, its .dwo file beside it in split/; one that has lost its own.
function(split_program name compiler version)
  set(folder ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/split)
  add_custom_command(
    OUTPUT ${folder}/${name}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
    COMMAND ${CMAKE_COMMAND} -E chdir ${folder} ${compiler} -std=c++20 -O2 -gdwarf-${version} -gsplit-dwarf
            -I${CMAKE_CURRENT_SOURCE_DIR} -c -o ${name}.o ${CMAKE_CURRENT_SOURCE_DIR}/split/split.cpp
    COMMAND ${CMAKE_COMMAND} -E chdir ${folder} ${compiler} -Wl,--build-id -o ${name} ${name}.o
    ${ARGN}
    DEPENDS split/split.cpp protocol.h VERBATIM)
  add_custom_target(program_${name} ALL DEPENDS ${folder}/${name})
endfunction()
split_program(split_g4 ${CMAKE_CXX_COMPILER} 4)
split_program(split_g5 ${CMAKE_CXX_COMPILER} 5)
split_program(split_clang4 ${CLANG} 4)
split_program(split_clang5 ${CLANG} 5)
split_program(split_lost ${CMAKE_CXX_COMPILER} 5
              COMMAND ${CMAKE_COMMAND} -E rm ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/split/split_lost.dwo)
