package io.attention4j.benchmarks.peer;

/**
 * ONNX files with one attention node: inputs q, k and v and output y, all F32 of any size.
 *
 * @see <a href="https://github.com/onnx/onnx/blob/main/onnx/onnx.proto">onnx.proto</a>
 */
public final class OnnxAttentionModel {
  /** Which operator. */
  public enum Operator {
    /** ONNX Runtime's own, on [batch, length, heads x headDim]. */
    MULTI_HEAD_ATTENTION("MultiHeadAttention", "com.microsoft", 3),
    /** The standard's, opset 23, on [batch, heads, length, headDim]. */
    ATTENTION_23("Attention", "", 4);

    private final String opType;
    private final String domain;
    private final int rank;

    Operator(String opType, String domain, int rank) {
      this.opType = opType;
      this.domain = domain;
      this.rank = rank;
    }
  }

  private static final int IR_VERSION = 10;
  private static final int OPSET = 23;
  private static final int ELEMENT_FLOAT = 1;
  private static final int ATTRIBUTE_INT = 2;

  private OnnxAttentionModel() {}

  /** Bytes of a model file. */
  public static byte[] bytes(Operator operator, int heads, boolean causal) {
    ProtobufMessage node =
        new ProtobufMessage()
            .string(1, "q")
            .string(1, "k")
            .string(1, "v")
            .string(2, "y")
            .string(3, "attention")
            .string(4, operator.opType);
    switch (operator) {
      case MULTI_HEAD_ATTENTION ->
          node.message(5, attribute("num_heads", heads))
              .message(5, attribute("unidirectional", causal ? 1 : 0));
      case ATTENTION_23 -> node.message(5, attribute("is_causal", causal ? 1 : 0));
    }
    if (!operator.domain.isEmpty()) {
      node.string(7, operator.domain);
    }
    ProtobufMessage graph =
        new ProtobufMessage()
            .message(1, node)
            .string(2, "graph")
            .message(11, tensor("q", operator.rank))
            .message(11, tensor("k", operator.rank))
            .message(11, tensor("v", operator.rank))
            .message(12, tensor("y", operator.rank));
    ProtobufMessage model =
        new ProtobufMessage()
            .integer(1, IR_VERSION)
            .message(7, graph)
            .message(8, operatorSet("", OPSET));
    if (!operator.domain.isEmpty()) {
      model.message(8, operatorSet(operator.domain, 1));
    }
    return model.toByteArray();
  }

  private static ProtobufMessage attribute(String name, long value) {
    return new ProtobufMessage().string(1, name).integer(3, value).integer(20, ATTRIBUTE_INT);
  }

  private static ProtobufMessage operatorSet(String domain, int version) {
    return new ProtobufMessage().string(1, domain).integer(2, version);
  }

  /** A ValueInfoProto whose extents have names instead of sizes. */
  private static ProtobufMessage tensor(String name, int rank) {
    ProtobufMessage shape = new ProtobufMessage();
    for (int i = 0; i < rank; i++) {
      shape.message(1, new ProtobufMessage().string(2, name + i));
    }
    ProtobufMessage type = new ProtobufMessage().integer(1, ELEMENT_FLOAT).message(2, shape);
    return new ProtobufMessage().string(1, name).message(2, new ProtobufMessage().message(1, type));
  }
}
