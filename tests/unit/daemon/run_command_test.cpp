#include "daemon/commands/run_command.hpp"

#include <sys/resource.h>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::daemon {

TEST_CASE("a command's exit code is kept, and a signal's is the shell's") {
  CHECK(run_command({"true"}, {}).exit_code == 0);
  const CommandResult seven = run_command({"sh", "-c", "exit 7"}, {});
  CHECK(seven.started);
  CHECK(seven.exit_code == 7);
  CHECK(run_command({"sh", "-c", "kill -KILL $$"}, {}).exit_code == 137);
}

TEST_CASE("a command that cannot be executed was not started") {
  const CommandResult missing = run_command({"no-such-command-of-ours"}, {});
  CHECK(!missing.started);
  CHECK(missing.exit_code == 127);
  CHECK(missing.problem == "no-such-command-of-ours: No such file or directory");

  const TempDirectory directory;
  const std::string file = directory.write("not-executable", "#!/bin/sh\n");
  const CommandResult forbidden = run_command({file}, {});
  CHECK(!forbidden.started);
  CHECK(forbidden.exit_code == 126);
}

TEST_CASE("a command for which there is no descriptor left was not started") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const CommandResult result = run_command({"true"}, {});
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(!result.started);
  CHECK(result.exit_code == 126);
  CHECK(result.problem == "true: Too many open files");
}

TEST_CASE("a command sees the variables, and arguments as they are") {
  CHECK(
      run_command({"sh", "-c", "test \"$WEIR_ADMISSION_ID\" = 'a b' && test \"$1\" = --json", "sh", "--json"},
                  {{"WEIR_ADMISSION_ID", "a b"}})
          .exit_code == 0);
}

TEST_CASE("a signal goes on to the command") {
  // The command asks its parent, us, to end, and waits for what comes of it: a minute at the most.
  const CommandResult result = run_command(
      {"sh", "-c", "trap 'exit 9' TERM; kill -TERM $PPID; for i in $(seq 600); do sleep 0.1; done"}, {});
  CHECK(result.exit_code == 9);
}

}  // namespace weir::daemon
