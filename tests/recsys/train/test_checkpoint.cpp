#include "optim/adam.h"
#include "recsys/train/checkpoint.h"
#include "tensor/safetensors.h"
#include "tests/recsys/data/data_fixture.h"
#include "tests/support/scratch.h"
#include "tests/tensor/tensor_fixture.h"

using namespace fen;
using namespace fen::recsys;
using fen::recsys::testing::contains;
using fen::test::Scratch;
namespace fs = std::filesystem;

namespace {

SasRecOptions small(int heads = 2) {
  return {.num_items = 7, .width = 8, .heads = heads, .layers = 2, .max_len = 5, .dropout = 0.1};
}

Config config_of(const SasRecOptions& options) {
  Config config;
  config.width = options.width;
  config.heads = options.heads;
  config.layers = options.layers;
  config.max_len = options.max_len;
  config.dropout = options.dropout;
  return config;
}

Tensor encoded(const SasRec& encoder, const std::vector<std::vector<std::int32_t>>& rows) {
  PackedSequences sequences;
  for (const auto& row : rows) sequences.append(row, encoder.options().max_len);
  nn::RandomStream unused(0, 0);
  return encoder.forward(to_device(sequences), unused).value();
}

/// The weights of tests/golden/release.safetensors as the authors' code would save them.
fs::path foreign_file(const Scratch& scratch) {
  std::map<std::string, Tensor> state;
  for (const auto& [name, tensor] :
       read_safetensors(FEN_SOURCE_DIR "/tests/golden/release.safetensors").tensors) {
    if (name.starts_with("param/")) state[name.substr(6)] = tensor.to(DType::f32);
  }
  const fs::path path = scratch.path / "foreign.safetensors";
  write_safetensors(path, state);
  return path;
}

}  // namespace

TEST_CASE("checkpoint: comes back as it was, heads and all") {
  const Scratch scratch("checkpoint");
  for (const int heads : {1, 2, 4}) {
    CAPTURE(heads);
    SasRec encoder(small(heads), nn::RandomStream::initial(5));
    save_checkpoint(scratch.path / "a.safetensors", encoder, config_of(small(heads)));
    const Checkpoint loaded = load_checkpoint(scratch.path / "a.safetensors");
    REQUIRE(loaded.config);
    CHECK(loaded.encoder->options().heads == heads);
    CHECK(loaded.encoder->options().layers == 2);
    CHECK(loaded.encoder->options().max_len == 5);
    CHECK_FALSE(loaded.encoder->is_training());
    CHECK(load_checkpoint(scratch.path / "a.safetensors", heads).encoder->options().heads == heads);
    contains(test::error_of([&] { load_checkpoint(scratch.path / "a.safetensors", heads + 1); }),
             fen::str("was trained with ", heads, " heads, not ", heads + 1, "; leave --heads out"));
    encoder.eval();
    const std::vector<std::vector<std::int32_t>> rows{{1, 2, 3}, {7, 6, 5, 4, 3, 2, 1}, {4}};
    CHECK(test::same_bits(encoded(*loaded.encoder, rows), encoded(encoder, rows)));
  }
}

TEST_CASE("checkpoint: a file of the release's names, as PyTorch would write it") {
  const Scratch scratch("foreign");
  const fs::path path = foreign_file(scratch);
  const Checkpoint loaded = load_checkpoint(path);
  CHECK_FALSE(loaded.config);
  const SasRecOptions& options = loaded.encoder->options();
  CHECK(options.num_items == 15);
  CHECK(options.width == 8);
  CHECK(options.layers == 2);
  CHECK(options.max_len == 6);
  CHECK(options.heads == 2);
  // input/sequence of the golden file without its padding; f32 against PyTorch's f64
  const Tensor h =
      encoded(*loaded.encoder, {{4}, {1, 5, 9, 5, 2, 11}, {8, 3, 14}, {15, 6}, {10, 2, 13, 12, 1}});
  const auto golden = read_safetensors(FEN_SOURCE_DIR "/tests/golden/release.safetensors").tensors;
  test::check_close(h, golden.at("encoder/hidden"), 1e-5);
  CHECK(load_checkpoint(path, 4).encoder->options().heads == 4);
  contains(test::error_of([&] { load_checkpoint(path, 3); }),
           path.string() + ": width 8 does not divide into 3 heads; say the model's own with --heads");
}

TEST_CASE("checkpoint: of another size") {
  const Scratch scratch("sizes");
  const fs::path path = scratch.path / "a.safetensors";
  const SasRec encoder(small(), nn::RandomStream::initial(5));
  save_checkpoint(path, encoder, config_of(small()));
  const Checkpoint loaded = load_checkpoint(path);
  CHECK_NOTHROW(check_fits(*loaded.encoder, path, 7, "seven"));
  CHECK(test::error_of([&] { check_fits(*loaded.encoder, path, 12101, "Beauty"); }) ==
        "[checkpoint] " + path.string() +
            " has 7 items, dataset Beauty has 12101; use the data the model was trained on");
}

TEST_CASE("checkpoint: training goes on only in a model of its sizes") {
  const Scratch scratch("training");
  const fs::path path = scratch.path / "last.safetensors";
  SasRec encoder(small(), nn::RandomStream::initial(5));
  optim::Adam adam(encoder.named_parameters());
  save_training(path, encoder, config_of(small()), adam,
                {.epoch = 8, .best_epoch = 5, .best_ndcg = 0.125, .data = UINT64_MAX});
  CHECK(training_state(path).epoch == 8);

  SasRec same(small(), nn::RandomStream::initial(6));
  optim::Adam other(same.named_parameters());
  const TrainingState state = load_training(path, same, other);
  CHECK(state.epoch == 8);
  CHECK(state.best_epoch == 5);
  CHECK(state.best_ndcg == 0.125);
  CHECK(state.data == UINT64_MAX);
  CHECK(test::same_bits(same.item_table().value(), encoder.item_table().value()));

  SasRecOptions larger = small();
  larger.num_items = 9;
  SasRec misfit(larger, nn::RandomStream::initial(7));
  optim::Adam third(misfit.named_parameters());
  const Tensor before = misfit.item_table().value().clone();
  const std::string error = test::error_of([&] { load_training(path, misfit, third); });
  contains(error, path.string());
  contains(error, "(9,8)");
  contains(error, "(11,8)");
  CHECK(test::same_bits(misfit.item_table().value(), before));
  CHECK(load_checkpoint(path).encoder->options().num_items == 7);  // the optimizer's part is passed over
}

TEST_CASE("checkpoint: files that are none") {
  const Scratch scratch("none");
  const fs::path path = scratch.path / "a.safetensors";
  const SasRec encoder(small(), nn::RandomStream::initial(5));
  const auto refused = [&](const std::map<std::string, Tensor>& tensors,
                           const std::map<std::string, std::string>& metadata = {}) {
    write_safetensors(path, tensors, metadata);
    const std::string error = test::error_of([&] { load_checkpoint(path); });
    contains(error, path.string());
    return error;
  };
  contains(refused({{"x", Tensor::ones({2})}}),
           "tensor 'item_embeddings.weight' is missing; expected a fenrec checkpoint");
  auto state = encoder.state_dict();
  state.erase("item_encoder.layer.1.attention.value.bias");
  contains(refused(state), "item_encoder.layer.1.attention.value.bias");
  state = encoder.state_dict();
  state["extra"] = Tensor::ones({1});
  contains(refused(state), "extra");
  state = encoder.state_dict();
  state["LayerNorm.weight"] = Tensor::ones({9});
  contains(refused(state), "(9)");
  state = encoder.state_dict();
  state["item_embeddings.weight"] = Tensor::ones({2, 8});
  contains(refused(state), "the item table (2,8) has no items");
  state["item_embeddings.weight"] = Tensor::ones({8});
  contains(refused(state), "has shape (8), expected a matrix");
  contains(refused(encoder.state_dict(), {{"fenrec.config", "{"}}), "is not JSON");

  save_checkpoint(path, encoder, config_of(small()));
  SasRec same(small(), nn::RandomStream::initial(6));
  optim::Adam adam(same.named_parameters());
  contains(test::error_of([&] { load_training(path, same, adam); }), "holds no training state to go on from");
  contains(test::error_of([&] { training_state(path); }), path.string() + " holds no training state");
  contains(test::error_of([&] { load_checkpoint(scratch.path / "absent.safetensors"); }),
           "absent.safetensors");
}
