# Run at build time: writes daemon/version.hpp with the checkout's commit, and leaves it alone if nothing changed.
execute_process(COMMAND git rev-parse --short=12 HEAD WORKING_DIRECTORY ${SOURCE_DIR}
                OUTPUT_VARIABLE WEIR_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(WEIR_COMMIT unknown)
endif()
configure_file(${SOURCE_DIR}/daemon/version.hpp.in ${OUTPUT} @ONLY)
