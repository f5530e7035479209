# Run by cpack before it packs. CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS is without effect beside CPACK_SET_DESTDIR, and a
# package of an umask of 077 would close /usr for everybody.
file(GLOB_RECURSE paths LIST_DIRECTORIES true "${CPACK_TEMPORARY_DIRECTORY}/*")
foreach(path IN LISTS paths)
  if(IS_DIRECTORY ${path})
    file(CHMOD ${path} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endif()
endforeach()
