// What all TLS connections to one set of authorities share. The server's certificate and name are always
// verified; there is no way to switch that off.
#pragma once

#include <memory>
#include <string>

#include <openssl/ssl.h>

namespace weir::upstream {

class TlsContext {
 public:
  // `ca_file`: the authorities to trust, in PEM, in place of the system's; empty: the system's. Throws
  // std::runtime_error that names the file and says what is wrong with it.
  explicit TlsContext(const std::string& ca_file);

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  using Session = std::unique_ptr<SSL, Free>;
  // A client's side on `socket`, which stays the caller's, for a server of that name or IP address.
  [[nodiscard]] Session session(int socket, const std::string& host) const;

 private:
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  std::unique_ptr<SSL_CTX, FreeContext> context_;
};

// The first error in OpenSSL's queue, in words; empties the queue.
std::string tls_error();

}  // namespace weir::upstream
