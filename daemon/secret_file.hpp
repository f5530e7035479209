// Reads a secret, an API key or a bearer token, from its file.
#pragma once

#include <string>

namespace weir::daemon {

struct SecretFile {
  std::string text;  // one line, without blanks around it
  std::string
      problem;        // why there is no text: "No such file or directory", "it is empty"; "" if there is one
  unsigned mode = 0;  // permission bits
};

// Never throws; never puts any of the text into `problem`.
SecretFile read_secret(const std::string& path);

}  // namespace weir::daemon
