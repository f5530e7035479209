// Runs a target over the files of a directory: what was found once stays found.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

#include "fuzz.hpp"

int main(int count, char** arguments) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(arguments[i])) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    std::cout << file.filename().string() << std::endl;  // the last one printed is the culprit
    weir::fuzz::run(text.str());
  }
  if (files.empty()) std::cout << "no corpus\n";
  return files.empty() ? 1 : 0;
}
