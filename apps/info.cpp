// fenrec info: what this program was built from and what it runs on.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <omp.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/version.h>
#include <toml++/toml.h>
#include <unistd.h>

#include "apps/commands.h"
#include "apps/options.h"
#include "tensor/error.h"
#include "tensor/kernels.h"
#ifdef FEN_DNNL
#include <dnnl.h>
#endif

// Of cblas.h; the rest of it is no application's business.
extern "C" char* openblas_get_config();
extern "C" char* openblas_get_corename();

namespace fen::apps {
namespace {

using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

constexpr const char* kCompiler =
#ifdef __clang__
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif

/// The instruction sets that matter to the kernels, as /proc/cpuinfo calls them.
constexpr const char* kExtensions[] = {"sse4_2",      "avx",      "avx2",     "fma",      "f16c",
                                       "avx512f",     "avx512bw", "avx512dq", "avx512vl", "avx512_vnni",
                                       "avx512_bf16", "amx_tile", "asimd",    "sve"};

/// Those that the compiler was told it may use (FEN_MARCH).
Words build_extensions() {
  return {
#ifdef __SSE4_2__
      "sse4_2",
#endif
#ifdef __AVX__
      "avx",
#endif
#ifdef __AVX2__
      "avx2",
#endif
#ifdef __FMA__
      "fma",
#endif
#ifdef __F16C__
      "f16c",
#endif
#ifdef __AVX512F__
      "avx512f",
#endif
#ifdef __AVX512BW__
      "avx512bw",
#endif
#ifdef __AVX512DQ__
      "avx512dq",
#endif
#ifdef __AVX512VL__
      "avx512vl",
#endif
#ifdef __AVX512VNNI__
      "avx512_vnni",
#endif
#ifdef __AVX512BF16__
      "avx512_bf16",
#endif
#ifdef __AMX_TILE__
      "amx_tile",
#endif
#ifdef __ARM_NEON
      "asimd",
#endif
#ifdef __ARM_FEATURE_SVE
      "sve",
#endif
  };
}

/// The text after the colon of the first line that starts with `key`; empty where there is none.
std::string proc_entry(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (const auto colon = line.find(':'); line.starts_with(key) && colon != line.npos)
      return line.substr(std::min(line.size(), line.find_first_not_of(" \t", colon + 1)));
  return {};
}

Words cpu_extensions() {
  std::istringstream flags(proc_entry("/proc/cpuinfo", "flags") + ' ' +
                           proc_entry("/proc/cpuinfo", "Features"));
  const Words all{std::istream_iterator<std::string>(flags), {}};
  Words found;
  std::ranges::copy_if(kExtensions, std::back_inserter(found),
                       [&](const char* name) { return std::ranges::count(all, name) > 0; });
  return found;
}

double gibibytes(int pages_name) {
  return static_cast<double>(::sysconf(pages_name)) * static_cast<double>(::sysconf(_SC_PAGESIZE)) /
         (1024.0 * 1024.0 * 1024.0);
}

Json libraries() {
  Json json;
#ifdef FEN_DNNL
  const dnnl_version_t* dnnl = dnnl_version();
  json["oneDNN"] = str(dnnl->major, '.', dnnl->minor, '.', dnnl->patch);
#else
  json["oneDNN"] = "none in this build";
#endif
  json["OpenBLAS"] = str(openblas_get_config(), ", core ", openblas_get_corename());
  json["OpenMP"] = str(_OPENMP);
  json["CLI11"] = CLI11_VERSION;
  json["toml++"] = str(TOML_LIB_MAJOR, '.', TOML_LIB_MINOR, '.', TOML_LIB_PATCH);
  json["spdlog"] = str(SPDLOG_VER_MAJOR, '.', SPDLOG_VER_MINOR, '.', SPDLOG_VER_PATCH);
  json["nlohmann-json"] =
      str(NLOHMANN_JSON_VERSION_MAJOR, '.', NLOHMANN_JSON_VERSION_MINOR, '.', NLOHMANN_JSON_VERSION_PATCH);
  return json;
}

/// Whether the GPU can be used, or why not.
std::string cuda_state() {
  try {
    kernels(Device::cuda());
    return "ready";
  } catch (const Error& error) {
    return error.what();
  }
}

Json info() {
  const std::string model = proc_entry("/proc/cpuinfo", "model name");
  Json json;
  json["version"] = FEN_VERSION;
  json["build"] = {{"type", FEN_BUILD_TYPE}, {"compiler", kCompiler}, {"instructions", build_extensions()}};
  json["libraries"] = libraries();
  json["threads"] = omp_get_max_threads();
  json["devices"]["cpu"] = {{"model", model.empty() ? "unknown" : model},
                            {"cores", omp_get_num_procs()},
                            {"memory_gib", gibibytes(_SC_PHYS_PAGES)},
                            {"free_gib", gibibytes(_SC_AVPHYS_PAGES)},
                            {"instructions", cpu_extensions()}};
  json["devices"]["cuda"] = cuda_state();
  return json;
}

std::string joined(const Json& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word.get<std::string>();
  return text;
}

void print_lines(const Json& json) {
  const auto line = [](const std::string& label, const std::string& text) {
    std::cout << fmt::format("{:<15} {}\n", label, text);
  };
  const Json &build = json["build"], &cpu = json["devices"]["cpu"];
  line("version", json["version"]);
  line("build",
       fmt::format("{}, {}", build["type"].get<std::string>(), build["compiler"].get<std::string>()));
  line("  instructions", joined(build["instructions"]));
  line("threads", json["threads"].dump());
  line("cpu",
       fmt::format("{}, {} cores, {:.1f} GiB memory, {:.1f} GiB free", cpu["model"].get<std::string>(),
                   cpu["cores"].get<int>(), cpu["memory_gib"].get<double>(), cpu["free_gib"].get<double>()));
  line("  instructions", joined(cpu["instructions"]));
  line("cuda", json["devices"]["cuda"]);
  std::cout << "libraries\n";
  for (const auto& [name, version] : json["libraries"].items()) line("  " + name, version);
}

}  // namespace

void add_info(CLI::App& program) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = program.add_subcommand("info", "build, libraries, instruction set, threads, devices");
  add_threads(*command);
  add_json(*command, *json);
  command->callback([json] {
    if (*json)
      print(info());
    else
      print_lines(info());
  });
}

}  // namespace fen::apps
