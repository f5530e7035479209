// The process's own metrics, under the standard names.
#pragma once

#include <string>

namespace weir::telemetry {

// Appends process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
// process_open_fds, process_max_fds and process_start_time_seconds in Prometheus' text format. Reads /proc:
// any thread, but some 50 us, so not the loop's. What cannot be read is left out.
void append_process_metrics(std::string& out);

}  // namespace weir::telemetry
