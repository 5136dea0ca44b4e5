# The man page and the bash completion are printed by flowsweep itself, from its tables of verbs and parameters.
set(man ${CMAKE_CURRENT_BINARY_DIR}/flowsweep.1)
set(completion ${CMAKE_CURRENT_BINARY_DIR}/flowsweep.bash)
add_custom_command(OUTPUT ${man} ${completion}
  COMMAND flowsweep help --man > ${man}
  COMMAND flowsweep help --completion > ${completion}
  DEPENDS flowsweep VERBATIM)
add_custom_target(flowsweep_docs ALL DEPENDS ${man} ${completion})
install(FILES ${man} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME flowsweep)
install(FILES slurm/flowsweep.sbatch DESTINATION ${CMAKE_INSTALL_DATADIR}/flowsweep)
install(DIRECTORY configs/ DESTINATION ${CMAKE_INSTALL_DATADIR}/flowsweep/configs FILES_MATCHING PATTERN "*.cfg")
