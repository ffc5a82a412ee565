# Run by `cmake --install`: the unit and its settings name the paths of the prefix that is installed to, which may be
# another one (`--prefix`) than the build was configured for.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(etc /etc)
else()
  set(etc ${CMAKE_INSTALL_PREFIX}/etc)
endif()

function(install_with_paths name destination)
  file(READ ${packaging_sources}/${name} text)
  string(REPLACE "/usr/sbin/" "${CMAKE_INSTALL_PREFIX}/sbin/" text "${text}")
  string(REPLACE "/usr/share/doc/" "${CMAKE_INSTALL_PREFIX}/share/doc/" text "${text}")
  string(REPLACE "/etc/diagnose/" "${etc}/diagnose/" text "${text}")
  file(WRITE ${packaging_scratch}/${name} "${text}")
  file(INSTALL ${packaging_scratch}/${name} DESTINATION ${destination})
endfunction()

install_with_paths(diagnosed.service ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
file(INSTALL DESTINATION ${etc}/diagnose/specs TYPE DIRECTORY FILES "")
# Settings that somebody has changed are theirs.
if(EXISTS "$ENV{DESTDIR}${etc}/diagnose/diagnosed.yaml")
  message(STATUS "Kept: $ENV{DESTDIR}${etc}/diagnose/diagnosed.yaml")
else()
  install_with_paths(diagnosed.yaml ${etc}/diagnose)
endif()
