# Bugs planted into copies of the CUDA sources, to see that the tests would find them. Each is one text of one file
# replaced by another; the case passes when the tests, with that file, fail in some order of the threads.

# plant(NAME file "text" "replacement" tests): `file` of cuda/ with its first `text` replaced, compiled into
# `source`, the file whose kernels it changes. `tests` are doctest's names, with wildcards.
function(plant name source file text replacement tests)
  file(READ ${PROJECT_SOURCE_DIR}/cuda/${file} content)
  string(FIND "${content}" "${text}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "planted bug ${name}: cuda/${file} has no '${text}' any more; plant it anew")
  endif()
  string(LENGTH "${text}" length)
  math(EXPR behind "${at} + ${length}")
  string(SUBSTRING "${content}" 0 ${at} head)
  string(SUBSTRING "${content}" ${behind} -1 tail)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/planted/${name})
  file(CONFIGURE OUTPUT ${folder}/cuda/${file} CONTENT "${head}${replacement}${tail}" @ONLY)
  if(NOT source STREQUAL file)
    configure_file(${PROJECT_SOURCE_DIR}/cuda/${source} ${folder}/cuda/${source} COPYONLY)
  endif()
  set_source_files_properties(${folder}/cuda/${source} PROPERTIES LANGUAGE CXX)
  # The object comes before the library, so the linker takes its functions.
  add_executable(planted_${name} EXCLUDE_FROM_ALL ${folder}/cuda/${source})
  target_include_directories(planted_${name} BEFORE PRIVATE ${folder})
  target_compile_options(planted_${name} PRIVATE -Wno-unknown-pragmas)
  target_link_libraries(planted_${name} PRIVATE fen_cuda_test_cases
    "$<LINK_GROUP:RESCAN,fen_core,fen_cuda_host>" CUDA::curand)
  add_dependencies(fen_planted_bugs planted_${name})
  add_test(NAME planted-${name} COMMAND sh -c "test -x $<TARGET_FILE:planted_${name}> || exit 1; for order in forward reverse random; do for streams in eager lazy; do \
CUDAHOST_ORDER=$order CUDAHOST_STREAMS=$streams $<TARGET_FILE:planted_${name}> -tc='${tests}' || exit 0; done; done; exit 1")
  set_tests_properties(planted-${name} PROPERTIES LABELS planted-bug ENVIRONMENT
    "OMP_NUM_THREADS=1;OPENBLAS_NUM_THREADS=1;TSAN_OPTIONS=halt_on_error=1")
endfunction()

add_custom_target(fen_planted_bugs)
plant(reduce_before_written softmax.cu team.cuh
  "if (lane == 0) partial[threadIdx.x / kWarp] = value;\n      __syncthreads();"
  "if (lane == 0) partial[threadIdx.x / kWarp] = value;" "cuda: softmax*")
plant(tile_overwritten attention.cu attention.cu
  "__syncthreads();  // the tiles before have been read" "" "cuda: attention over*")
plant(warp_rows_overwritten attention.cu attention.cu
  "__syncwarp();  // the warp's rows and the old lse have been read" "" "cuda: attention over*")
plant(shares_not_awaited segments.cu segments.cu
  "share[warp][lane] = total;\n    __syncthreads();" "share[warp][lane] = total;" "cuda: scatter_add_rows*")
plant(columns_overwritten reduce.cu reduce.cuh
  "__syncthreads();  // the tile has been read" "" "cuda: reductions*")
plant(warps_not_awaited layer_norm.cu column_sums.cuh
  "T* partial) const {\n    __syncthreads();" "T* partial) const {" "cuda: layer norm*")
plant(labels_before_row cross_entropy.cu cross_entropy.cuh
  "Team::synchronize();  // the row is written before labels are taken from it" "" "cuda: cross entropy*")
plant(rest_of_a_pack random.cu random.cu "start + 4 <= numel" "start <= numel" "cuda: uniform*")
plant(index_not_guarded gather.cu gather.cu "(inside ? index : 0)" "(inside ? index : index)" "cuda: an index out of range*")
plant(upload_not_awaited upload.cpp upload.cpp
  "check_status(\"upload\", cudaStreamWaitEvent(cuda::stream(), last, 0));" "static_cast<void>(last);" "cuda: copies*")
plant(read_before_done runtime.cpp runtime.cpp "  synchronize(\"download\");" "" "cuda: copies*")
