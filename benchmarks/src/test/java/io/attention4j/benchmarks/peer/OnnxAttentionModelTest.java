package io.attention4j.benchmarks.peer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** The structure, by a reader of its own; the profile peers has ONNX Runtime load the files. */
class OnnxAttentionModelTest {
  /** Values of a message by field number: Long or byte[]. */
  private static TreeMap<Integer, List<Object>> fields(byte[] message) {
    TreeMap<Integer, List<Object>> fields = new TreeMap<>();
    int[] at = new int[1];
    while (at[0] < message.length) {
      long key = varint(message, at);
      Object value;
      if ((key & 7) == 0) {
        value = varint(message, at);
      } else {
        assertEquals(2, key & 7, "wire type");
        int length = (int) varint(message, at);
        value = Arrays.copyOfRange(message, at[0], at[0] + length);
        assertTrue(at[0] + length <= message.length, "a field ends past its message");
        at[0] += length;
      }
      fields.computeIfAbsent((int) (key >>> 3), _ -> new ArrayList<>()).add(value);
    }
    return fields;
  }

  private static long varint(byte[] bytes, int[] at) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte next = bytes[at[0]++];
      value |= (next & 0x7fL) << shift;
      if (next >= 0) {
        return value;
      }
    }
  }

  private static byte[] bytes(TreeMap<Integer, List<Object>> message, int field) {
    return (byte[]) message.get(field).getFirst();
  }

  private static List<String> strings(TreeMap<Integer, List<Object>> message, int field) {
    return message.getOrDefault(field, List.of()).stream()
        .map(value -> new String((byte[]) value, StandardCharsets.UTF_8))
        .toList();
  }

  private static String attribute(Object bytes) {
    TreeMap<Integer, List<Object>> attribute = fields((byte[]) bytes);
    assertEquals(List.of(2L), attribute.get(20), "type INT");
    return strings(attribute, 1).getFirst() + "=" + attribute.get(3).getFirst();
  }

  private static String operatorSet(Object bytes) {
    TreeMap<Integer, List<Object>> set = fields((byte[]) bytes);
    return strings(set, 1).getFirst() + " " + set.get(2).getFirst();
  }

  private static void check(
      OnnxAttentionModel.Operator operator,
      boolean causal,
      String opType,
      List<String> attributes,
      List<String> domains,
      List<String> operatorSets,
      int rank) {
    TreeMap<Integer, List<Object>> model = fields(OnnxAttentionModel.bytes(operator, 300, causal));
    assertEquals(List.of(10L), model.get(1), "IR version");
    assertEquals(
        operatorSets, model.get(8).stream().map(OnnxAttentionModelTest::operatorSet).toList());
    TreeMap<Integer, List<Object>> graph = fields(bytes(model, 7));
    TreeMap<Integer, List<Object>> node = fields(bytes(graph, 1));
    assertEquals(List.of("q", "k", "v"), strings(node, 1));
    assertEquals(List.of("y"), strings(node, 2));
    assertEquals(List.of(opType), strings(node, 4));
    assertEquals(attributes, node.get(5).stream().map(OnnxAttentionModelTest::attribute).toList());
    assertEquals(domains, strings(node, 7));
    assertEquals(3, graph.get(11).size());
    for (List<Object> tensors : List.of(graph.get(11), graph.get(12))) {
      for (Object tensor : tensors) {
        TreeMap<Integer, List<Object>> type = fields(bytes(fields((byte[]) tensor), 2));
        TreeMap<Integer, List<Object>> tensorType = fields(bytes(type, 1));
        assertEquals(List.of(1L), tensorType.get(1), "FLOAT");
        assertEquals(rank, fields(bytes(tensorType, 2)).get(1).size());
      }
    }
  }

  @Test
  void onnxRuntimesOwnOperator() {
    check(
        OnnxAttentionModel.Operator.MULTI_HEAD_ATTENTION,
        true,
        "MultiHeadAttention",
        List.of("num_heads=300", "unidirectional=1"),
        List.of("com.microsoft"),
        List.of(" 23", "com.microsoft 1"),
        3);
  }

  @Test
  void theStandardsOperator() {
    check(
        OnnxAttentionModel.Operator.ATTENTION_23,
        false,
        "Attention",
        List.of("is_causal=0"),
        List.of(),
        List.of(" 23"),
        4);
  }

  @Test
  void numbersAreVarints() {
    // The examples of the encoding's documentation: field 1 = 150, field 2 = "testing".
    assertArrayEquals(
        HexFormat.of().parseHex("089601120774657374696e67"),
        new ProtobufMessage().integer(1, 150).string(2, "testing").toByteArray());
    assertArrayEquals(
        HexFormat.of().parseHex("08ffffffffffffffffff01"),
        new ProtobufMessage().integer(1, -1).toByteArray());
  }
}
