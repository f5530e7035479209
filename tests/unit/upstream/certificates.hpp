// Certificates for TLS tests, made by the openssl command once per process, in a directory of its own.
#pragma once

#include <string>

namespace weir::upstream::test {

struct Certificates {
  std::string ca;                         // an authority, PEM
  std::string other_ca;                   // another, which signed nothing here
  std::string cert, key;                  // for localhost and 127.0.0.1, signed by `ca`
  std::string strange_cert, strange_key;  // for elsewhere.example, signed by `ca`
};

const Certificates& certificates();

}  // namespace weir::upstream::test
