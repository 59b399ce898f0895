// Which device this thread uses, and what went wrong last: the state behind devices.cpp.
#pragma once

#include <cstddef>

#include <cuda_runtime_api.h>

namespace cudahost {

/// What a device pretends to have.
inline constexpr std::size_t total_bytes = std::size_t{2} << 30;

/// Of this thread: work that a stream runs late stands on the device it was given on.
int& current_device();

/// Remembers an error for cudaGetLastError(), and returns it.
cudaError_t report(cudaError_t error);

}  // namespace cudahost
