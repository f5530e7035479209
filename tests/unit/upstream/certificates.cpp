#include "certificates.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace weir::upstream::test {
namespace {

struct Made : Certificates {
  std::string directory;

  Made() {
    char name[] = "/tmp/weir-certificates-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("no temporary directory");
    directory = name;
    authority("ca", ca);
    authority("other", other_ca);
    server("here", "DNS:localhost,IP:127.0.0.1", cert, key);
    server("strange", "DNS:elsewhere.example", strange_cert, strange_key);
  }
  ~Made() { std::filesystem::remove_all(directory); }

  std::string path(const std::string& file) const { return directory + "/" + file; }

  static void run(const std::string& arguments) {
    const std::string command = "openssl " + arguments + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  }

  void authority(const std::string& name, std::string& pem) const {
    pem = path(name + ".pem");
    run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" + name +
        " -keyout " + path(name + ".key") + " -out " + pem);
  }

  void server(const std::string& name, const std::string& names, std::string& pem,
              std::string& key_pem) const {
    pem = path(name + ".pem");
    key_pem = path(name + ".key");
    std::ofstream(path(name + ".ext")) << "subjectAltName=" << names << "\n";
    run("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=" + name + " -keyout " +
        key_pem + " -out " + path(name + ".csr"));
    run("x509 -req -days 2 -in " + path(name + ".csr") + " -CA " + ca + " -CAkey " + path("ca.key") +
        " -CAcreateserial -extfile " + path(name + ".ext") + " -out " + pem);
  }
};

}  // namespace

const Certificates& certificates() {
  static const Made made;
  return made;
}

}  // namespace weir::upstream::test
