// The subcommands of fenrec, a file each. Every one adds itself to the program, and runs as the callback of
// its parse.
#pragma once

#include <CLI/CLI.hpp>

namespace fen::apps {

// A callback fails by throwing fen::Error (exit status 1) and refuses its arguments by CLI::ParseError (2).
// It prints results to stdout, as one JSON object under --json; everything else goes to stderr.
void add_train(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_recommend(CLI::App& program);
void add_gradcheck(CLI::App& program);
void add_replay(CLI::App& program);
void add_synthetic(CLI::App& program);
void add_gpu_check(CLI::App& program);
void add_info(CLI::App& program);
void add_trace(CLI::App& program);
void add_demo(CLI::App& program);

}  // namespace fen::apps
