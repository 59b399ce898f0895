# The front door. Every target sets up what it needs.
BUILD  ?= build
PYTHON := .venv/bin/python
TORCH  := .venv-bench/bin/python
FEN_DATA ?= ../shared/data
SOURCES = $(shell git ls-files '*.cpp' '*.h' '*.cu' '*.cuh')
PACKAGES = $(shell grep -v '^\#' .ci/packages)
MISSING = $(shell for p in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done)
SUDO = $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: all setup build demo test asan cuda cuda-host cuda-host-asan cuda-host-tsan planted-bugs bench against-torch format lint clean
all: build

setup:  ## install missing Debian packages, and Python's safetensors for the tests
	@if [ -n "$(MISSING)" ]; then \
	  echo "installing: $(MISSING)"; \
	  $(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(MISSING); \
	fi
	@[ -x $(PYTHON) ] || python3 -m venv .venv
	@$(PYTHON) -c 'import safetensors, numpy' 2>/dev/null || $(PYTHON) -m pip install -q -r tests/requirements.txt

build: setup
	cmake --preset release -B $(BUILD) $(CMAKE_FLAGS)
	cmake --build $(BUILD)

demo: build  ## train FENRec and SASRec on made data, and compare
	$(BUILD)/fenrec demo --out runs/demo --force

test: build
	FEN_PYTHON=$(CURDIR)/$(PYTHON) ctest --test-dir $(BUILD) --output-on-failure

asan: setup  ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	cmake --preset asan $(CMAKE_FLAGS)
	cmake --build build-asan
	FEN_PYTHON=$(CURDIR)/$(PYTHON) ctest --preset asan

cuda: setup  ## the CUDA backend for every GPU that is supported; needs nvcc
	cmake --preset cuda $(CMAKE_FLAGS)
	cmake --build build-cuda

# The CUDA kernels run on the CPU, compiled by the C++ compiler; needs CUDA's headers, no GPU and no nvcc.
cuda-host:      HOST_BUILD := build-cudahost
cuda-host-asan: HOST_BUILD := build-asan
cuda-host-tsan: HOST_BUILD := build-cudahost-tsan
cuda-host cuda-host-asan cuda-host-tsan: setup
	cmake --preset $(@:cuda-host%=cudahost%) $(CMAKE_FLAGS)
	cmake --build $(HOST_BUILD) --target fen_cuda_host_tests fenrec_cuda_host
	ctest --test-dir $(HOST_BUILD) --output-on-failure -L cuda-host $(CTEST_FLAGS)

planted-bugs: cuda-host  ## bugs planted into the CUDA kernels, which the tests must find
	cmake --build build-cudahost --target fen_planted_bugs
	ctest --test-dir build-cudahost --output-on-failure -L planted-bug

bench: build
	cmake --build $(BUILD) --target fen_bench
	$(BUILD)/bench/fen_bench

against-torch: setup  ## a training step on FEN_DATA/Beauty.txt beside the same step in PyTorch 2; more options: ARGS
	cmake --preset release -B $(BUILD) $(CMAKE_FLAGS)
	cmake --build $(BUILD) --target fenrec fen_steps
	@[ -x $(TORCH) ] || python3 -m venv .venv-bench
	@$(TORCH) -c 'import torch, numpy, safetensors' 2>/dev/null || $(TORCH) -m pip install -q -r bench/requirements.txt
	$(TORCH) bench/against_torch.py --build $(BUILD) --data $(FEN_DATA)/Beauty.txt $(ARGS)

format:
	clang-format -i $(SOURCES)

lint: build  ## clang-format and clang-tidy, as CI runs them
	clang-format --dry-run --Werror $(SOURCES)
	@mkdir -p $(BUILD)/lint  # the compile commands without what clang does not know
	sed 's/ [^ ]*-mtune-ctrl=[^ ]*//' $(BUILD)/compile_commands.json > $(BUILD)/lint/compile_commands.json
	run-clang-tidy -quiet -p $(BUILD)/lint -j $$(nproc) $(filter-out bench/% tests/%,$(filter %.cpp,$(SOURCES)))

clean:
	rm -rf build build-debug build-asan build-cuda build-cudahost*
