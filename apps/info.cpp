// fenrec info: what this program was built from and what it runs on.
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>
#include <omp.h>
#include <spdlog/version.h>
#include <toml++/toml.h>

#include "apps/commands.h"
#include "apps/options.h"
#ifdef FEN_DNNL
#include <dnnl.h>
#endif

// cblas.h declares these too, but nothing else of it belongs in an application.
extern "C" char* openblas_get_config();
extern "C" char* openblas_get_corename();

namespace fen::apps {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kCompiler =
#ifdef __clang__
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif

/// One instruction set: did the compiler use it, does this CPU have it?
struct Extension {
  const char* name;
  bool build, cpu;
};

#ifdef __x86_64__
#define FEN_EXTENSION(macro, name) {name, FEN_IS_ONE(macro), __builtin_cpu_supports(name) != 0}
#define FEN_IS_ONE(macro) (std::string_view(FEN_TEXT(macro)) == "1")  // an absent macro is its own name
#define FEN_TEXT(macro) #macro
#endif

