package io.attention4j.llm.gguf;

import io.attention4j.engine.tensor.DType;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * Names of GGML's tensor types by number, the ones this library cannot read included, so that a
 * file is refused by name.
 *
 * @see <a href="https://github.com/ggml-org/llama.cpp/blob/master/ggml/include/ggml.h">enum
 *     ggml_type</a>
 */
final class GgmlTypeNames {
  private static final String[] NAMES = {
    "F32",
    "F16",
    "Q4_0",
    "Q4_1",
    "Q4_2",
    "Q4_3",
    "Q5_0",
    "Q5_1",
    "Q8_0",
    "Q8_1",
    "Q2_K",
    "Q3_K",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "Q8_K",
    "IQ2_XXS",
    "IQ2_XS",
    "IQ3_XXS",
    "IQ1_S",
    "IQ4_NL",
    "IQ3_S",
    "IQ2_S",
    "IQ4_XS",
    "I8",
    "I16",
    "I32",
    "I64",
    "F64",
    "IQ1_M",
    "BF16",
    "Q4_0_4_4",
    "Q4_0_4_8",
    "Q4_0_8_8",
    "TQ1_0",
    "TQ2_0",
    "IQ4_NL_4_4",
    "IQ4_NL_4_8",
    "IQ4_NL_8_8",
    "MXFP4",
    "NVFP4",
    "Q1_0",
    "Q2_0"
  };

  private GgmlTypeNames() {}

  /** "IQ4_XS", or "number 99" where GGML has no such type. */
  static String name(int ggmlId) {
    return ggmlId >= 0 && ggmlId < NAMES.length
        ? NAMES[ggmlId]
        : "number " + (ggmlId & 0xffffffffL);
  }

  /** The types that can be read, for an error message. */
  static String supported() {
    return Arrays.stream(DType.values()).map(DType::name).collect(Collectors.joining(", "));
  }
}
