package io.attention4j.llm.safetensors;

import io.attention4j.engine.tensor.DType;

/**
 * Element types that the format defines, the ones this library cannot compute with included: a file
 * may hold a mask that no architecture reads.
 *
 * @see <a
 *     href="https://github.com/huggingface/safetensors/blob/main/safetensors/src/tensor.rs">enum
 *     Dtype</a>
 */
enum SafetensorsType {
  BOOL(8, null),
  F4(4, null),
  F6_E2M3(6, null),
  F6_E3M2(6, null),
  U8(8, null),
  I8(8, DType.I8),
  F8_E5M2(8, null),
  F8_E4M3(8, null),
  F8_E8M0(8, null),
  F8_E4M3FNUZ(8, null),
  F8_E5M2FNUZ(8, null),
  I16(16, DType.I16),
  U16(16, null),
  F16(16, DType.F16),
  BF16(16, DType.BF16),
  I32(32, DType.I32),
  U32(32, null),
  F32(32, DType.F32),
  C64(64, null),
  F64(64, DType.F64),
  I64(64, DType.I64),
  U64(64, null);

  private static final SafetensorsType[] VALUES = values();

  private final int bits;
  private final DType dtype;

  SafetensorsType(int bits, DType dtype) {
    this.bits = bits;
    this.dtype = dtype;
  }

  int bits() {
    return bits;
  }

  /** Our type, or null if this library has none. */
  DType dtype() {
    return dtype;
  }

  /** The type of this name, or null. */
  static SafetensorsType of(String name) {
    for (SafetensorsType type : VALUES) {
      if (type.name().equals(name)) {
        return type;
      }
    }
    return null;
  }
}
