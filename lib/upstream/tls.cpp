#include "upstream/tls.hpp"

#include <array>
#include <stdexcept>

#include <arpa/inet.h>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

namespace weir::upstream {
namespace {

bool is_address(const std::string& host) {
  std::array<unsigned char, 16> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

}  // namespace

TlsContext::TlsContext(const std::string& ca_file) : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* context = context_.get();
  if (context == nullptr) throw std::runtime_error("cannot set up TLS: " + tls_error());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Buffers may move between two tries of a write, and idle connections give theirs back.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1)
      throw std::runtime_error("cannot read the system's certificate authorities: " + tls_error());
  } else if (SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
    throw std::runtime_error(
        fmt::format("cannot read certificate authorities from {}: {}", ca_file, tls_error()));
  }
}

TlsContext::Session TlsContext::session(int socket, const std::string& host) const {
  Session session(SSL_new(context_.get()));
  if (session == nullptr) throw std::bad_alloc();
  SSL* ssl = session.get();
  SSL_set_connect_state(ssl);
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, host.c_str());
    SSL_set_tlsext_host_name(ssl, host.c_str());
  }
  static constexpr unsigned char kProtocols[] = "\x08http/1.1";
  SSL_set_alpn_protos(ssl, kProtocols, sizeof kProtocols - 1);
  if (SSL_set_fd(ssl, socket) != 1) throw std::runtime_error("cannot set up TLS: " + tls_error());
  return session;
}

std::string tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("error {:#x}", code);
}

}  // namespace weir::upstream
