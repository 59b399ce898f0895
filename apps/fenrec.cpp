// The program: reads its arguments, runs one subcommand, turns what it throws into an exit status.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <new>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "apps/commands.h"
#include "tensor/error.h"

namespace {

enum ExitStatus { kSuccess = 0, kFailure = 1, kUsage = 2 };

constexpr const char* kDescription =
    "fenrec: sequential recommendation with future-aware soft labels and enduring hard negatives (FENRec),\n"
    "on a tensor and autograd library of its own.";

constexpr const char* kExamples = R"(Examples:
  fenrec demo
  fenrec synthetic --out demo.txt
  fenrec train --preset synthetic --data demo.txt --out runs/demo
  fenrec evaluate --checkpoint runs/demo/best.safetensors --data demo.txt
  fenrec recommend --checkpoint runs/demo/best.safetensors --data demo.txt --top 20
  fenrec train --preset beauty --data Beauty.txt --objective release --seed 2024 --out runs/beauty
  fenrec train --help

Exit status: 0 success, 1 failure, 2 wrong usage.)";

/// The program and every subcommand in the order of `--help`.
std::unique_ptr<CLI::App> make_program() {
  auto program = std::make_unique<CLI::App>(kDescription, "fenrec");
  program->footer(kExamples);
  program->set_version_flag("--version", "fenrec " FEN_VERSION);
  program->require_subcommand(0, 1);
  program->callback(
      [app = program.get()] {  // not require_subcommand(1): that would hide an unknown one's name
        if (app->get_subcommands().empty()) throw CLI::RequiredError("A subcommand");
      });
  program->failure_message([](const CLI::App* app, const CLI::Error& error) {
    const auto commands = app->get_subcommands();
    const std::string command = commands.empty() ? "" : commands.front()->get_name() + " ";
    return fen::str("fenrec: ", error.what(), "\nSee `fenrec ", command, "--help`.\n");
  });
  fen::apps::add_demo(*program);
  fen::apps::add_train(*program);
  fen::apps::add_evaluate(*program);
  fen::apps::add_recommend(*program);
  fen::apps::add_gradcheck(*program);
  fen::apps::add_replay(*program);
  fen::apps::add_synthetic(*program);
  fen::apps::add_gpu_check(*program);
  fen::apps::add_trace(*program);
  fen::apps::add_info(*program);
  return program;
}

/// Everything but results goes to stderr, so that stdout can be piped.
void set_up_log() {
  auto log = spdlog::stderr_color_mt("fenrec");
  log->set_pattern("%^%l%$: %v");
  spdlog::set_default_logger(std::move(log));
}

int run(int argc, char** argv) {
  const auto program = make_program();
  try {
    program->parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // --help and --version come this way too
    if (program->exit(error) != 0) return kUsage;
  }
  std::cout.flush();
  fen::check(std::cout.good(), "cannot write to stdout; is the disk full?");
  return kSuccess;
}

/// A thread that waits for the others spins, by default for milliseconds; on a machine that others use too it
/// then holds the core that the awaited thread needs, and two threads are slower than one. A short spin costs
/// an idle machine nothing measurable. The runtime reads this setting before main() begins, so the program
/// starts itself again with it.
void bound_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  setenv("GOMP_SPINCOUNT", "10000", 1);
  execv("/proc/self/exe", argv);  // where that fails, the program goes on as it is
}

/// A standard stream that was closed (`>&-`) would give its number to the next file, and what is printed
/// would go into a run. Opened for reading, it still refuses what is written.
void occupy_standard_streams() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor)
    if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_streams();
  bound_spinning(argv);
  try {
    set_up_log();
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::cerr << "fenrec: out of memory; try a smaller --batch-size, --width or --max-len\n";
  } catch (const std::exception& error) {
    std::cerr << "fenrec: " << error.what() << '\n';
  }
  return kFailure;
}
