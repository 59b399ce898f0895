// Marks what is compiled for the host and, by nvcc, for the device too.
#pragma once

#ifdef __CUDACC__
#define FEN_HD __host__ __device__
#else
#define FEN_HD
#endif
