// The ledger's calls, counted under another configuration than the one that holds: what a restart with it
// would find. A copy of the service without a disk, whose book is then taken over (Service::reload).
//
// Any thread, since it shares nothing with the service; costs what recovery at a start does.
#pragma once

#include "admission/service.hpp"
#include "catalog/catalog.hpp"
#include "ledger/null_journal.hpp"
#include "ledger/reader.hpp"
#include "telemetry/metrics.hpp"

namespace weir::admission {

class Recount {
 public:
  // `reader`: pinned. Throws ledger::OpenError.
  Recount(const Setup& setup, const catalog::Catalog& catalog, ledger::Reader& reader, const Now& now);

 private:
  friend class Service;
  ledger::NullJournal names_;
  telemetry::Registry metrics_;
  Service service_;
};

}  // namespace weir::admission
