"""The Python half of the safetensors round trip.

    python check_safetensors.py THEIRS FOREIGN

Opens THEIRS, a file of our C++ writer, with the `safetensors` package and prints its metadata as `key = value` and its
tensors as `name dtype shape sum` (sorted; the sum in float64). Then writes FOREIGN for the C++ reader; KNOWN is what it holds.
Exits 1 where THEIRS cannot be read.
"""
import sys

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

KNOWN = {
    "f32/matrix": np.array([[0.5, -1.25, 3.0], [1e-38, 65504.0, -0.0]], np.float32),
    "f64/vector": np.array([np.pi, 1 / 3, -1e300, 5e-324], np.float64),
    "i32/vector": np.array([-2**31, -1, 0, 2**31 - 1], np.int32),
    "i64/cube": np.arange(-4, 4, dtype=np.int64).reshape(2, 2, 2) * 2**40,
    "bool/vector": np.array([True, False, True], np.bool_),
    "empty": np.zeros((0, 3), np.float32),
    "scalar": np.array(2.5, np.float64),
}
METADATA = {"writer": "python", "quoted": 'a "b" \\ c', "lines": "one\ntwo", "unicode": "café λ"}


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    try:
        with safe_open(sys.argv[1], "numpy") as f:
            for key, value in sorted((f.metadata() or {}).items()):
                print(f"{key} = {value}")
            for name in sorted(f.keys()):
                tensor = f.get_tensor(name)
                shape = "(" + ",".join(map(str, tensor.shape)) + ")"
                print(name, f.get_slice(name).get_dtype(), shape, repr(float(tensor.astype(np.float64).sum())))
    except (SafetensorError, OSError) as error:
        print(f"[check_safetensors] {sys.argv[1]} cannot be read: {error}")
        return 1
    save_file(KNOWN, sys.argv[2], METADATA)
    return 0


if __name__ == "__main__":
    sys.exit(main())
