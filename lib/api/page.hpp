// The status page: the files of web/, embedded. They hold no data, so no token is asked for them; all data
// comes from the API, which asks.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.hpp"

namespace weir::api {

struct PageFile {
  std::string_view path;  // "/", "/page/weir.css"
  std::string_view content_type;
  std::string_view etag;  // quoted; of the content
  std::string_view body;
};

std::span<const PageFile> page_files();
// nullptr: none is there.
const PageFile* page_file(std::string_view path);
// 200, or 304 if the client has it.
void serve(http::Exchange& exchange, const PageFile& file);
std::vector<std::string> page_paths();

}  // namespace weir::api
