# Writes what a command prints to a file; nothing, if it fails. Variables: COMMAND (a list), INPUT (a file, or nothing), OUTPUT.
set(input "")
if(INPUT)
  set(input INPUT_FILE ${INPUT})
endif()
execute_process(COMMAND ${COMMAND} ${input} OUTPUT_FILE ${OUTPUT}.part COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${OUTPUT}.part ${OUTPUT})
