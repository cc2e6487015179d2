package io.attention4j.cli.conformance;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/**
 * Evaluates the small ONNX graph of a FlexAttention {@code score_mod} or {@code prob_mod} on a
 * whole score tensor [batch, heads, rows, keys], operator by operator, in float64.
 */
final class ScoreGraph {
  private final JsonNode graph;

  /** A graph as {@code meta.json} writes it. */
  ScoreGraph(JsonNode graph) {
    this.graph = graph;
  }

  /** A value of the graph: row-major, with its shape. */
  private record Value(int[] shape, double[] data) {
    static Value scalar(double x) {
      return new Value(new int[0], new double[] {x});
    }
  }

  @FunctionalInterface
  private interface Binary {
    double apply(double a, double b);
  }

  /**
   * The graph's output for these scores.
   *
   * @throws SkippedCaseException if it has an operator that is unknown here; names it
   */
  double[] apply(double[] scores, int... shape) {
    Map<String, Value> values = new HashMap<>();
    values.put(graph.path("inputs").path(0).path("name").asText(), new Value(shape, scores));
    for (JsonNode initializer : graph.path("initializers")) {
      values.put(initializer.path("name").asText(), initializer(initializer));
    }
    for (JsonNode node : graph.path("nodes")) {
      values.put(node.path("outputs").path(0).asText(), evaluate(node, values));
    }
    Value result = values.get(graph.path("outputs").path(0).path("name").asText());
    if (result == null || result.data.length != scores.length) {
      throw new IllegalArgumentException("the graph gives no value of the scores' shape");
    }
    return result.data;
  }

  private static Value initializer(JsonNode node) {
    JsonNode extents = node.path("shape");
    int[] shape = new int[extents.size()];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = extents.get(i).asInt();
    }
    byte[] bytes = HexFormat.of().parseHex(node.path("raw_hex").asText());
    OnnxTensor tensor =
        OnnxTensor.decode(node.path("name").asText(), node.path("dtype").asText(), shape, bytes);
    return new Value(shape, tensor.values());
  }

  private static Value evaluate(JsonNode node, Map<String, Value> values) {
    Value[] in = new Value[node.path("inputs").size()];
    for (int i = 0; i < in.length; i++) {
      String name = node.path("inputs").get(i).asText();
      in[i] = values.get(name);
      if (in[i] == null) {
        throw new IllegalArgumentException("the graph uses " + name + " before it is computed");
      }
    }
    String operator = node.path("op_type").asText();
    return switch (operator) {
      case "Add" -> broadcast(in[0], in[1], Double::sum);
      case "Sub" -> broadcast(in[0], in[1], (a, b) -> a - b);
      case "Mul" -> broadcast(in[0], in[1], (a, b) -> a * b);
      case "Div" -> broadcast(in[0], in[1], (a, b) -> a / b);
      case "GreaterOrEqual" -> broadcast(in[0], in[1], (a, b) -> a >= b ? 1 : 0);
      case "Tanh" -> broadcast(in[0], Value.scalar(0), (a, b) -> Math.tanh(a));
      case "Cast" -> in[0];
      case "Shape" ->
          new Value(
              new int[] {in[0].shape.length},
              Arrays.stream(in[0].shape).asDoubleStream().toArray());
      case "Gather" -> Value.scalar(in[0].data[(int) in[1].data[0]]);
      case "Range" -> range(in[0].data[0], in[1].data[0], in[2].data[0]);
      case "Reshape" -> reshape(in[0], in[1].data);
      case "Where" -> where(in[0], in[1], in[2]);
      default -> throw new SkippedCaseException("graphs with operator " + operator);
    };
  }

  private static Value range(double from, double to, double step) {
    double[] data = new double[(int) Math.max(0, Math.ceil((to - from) / step))];
    for (int i = 0; i < data.length; i++) {
      data[i] = from + i * step;
    }
    return new Value(new int[] {data.length}, data);
  }

  private static Value reshape(Value value, double[] extents) {
    int[] shape = new int[extents.length];
    int known = 1;
    for (double extent : extents) {
      known *= extent < 0 ? 1 : (int) extent;
    }
    for (int i = 0; i < shape.length; i++) {
      shape[i] = extents[i] < 0 ? value.data.length / known : (int) extents[i];
    }
    return new Value(shape, value.data);
  }

  private static Value where(Value condition, Value yes, Value no) {
    Value chosen = broadcast(condition, yes, (c, y) -> c != 0 ? y : 0);
    Value other = broadcast(condition, no, (c, n) -> c != 0 ? 0 : n);
    // One of the two is 0, so that the sum is the choice, also where it is infinite.
    return broadcast(chosen, other, Double::sum);
  }

  private static Value broadcast(Value a, Value b, Binary function) {
    int rank = Math.max(a.shape.length, b.shape.length);
    int[] shape = new int[rank];
    int elements = 1;
    for (int i = 0; i < rank; i++) {
      int ofA = extent(a.shape, rank, i);
      int ofB = extent(b.shape, rank, i);
      if (ofA != ofB && ofA != 1 && ofB != 1) {
        throw new IllegalArgumentException(
            "shapes "
                + Arrays.toString(a.shape)
                + " and "
                + Arrays.toString(b.shape)
                + " do not broadcast");
      }
      shape[i] = ofA == 1 ? ofB : ofA;
      elements *= shape[i];
    }
    double[] data = new double[elements];
    for (int i = 0; i < elements; i++) {
      data[i] = function.apply(a.data[index(a.shape, shape, i)], b.data[index(b.shape, shape, i)]);
    }
    return new Value(shape, data);
  }

  private static int extent(int[] shape, int rank, int dimension) {
    int own = dimension - (rank - shape.length);
    return own < 0 ? 1 : shape[own];
  }

  private static int index(int[] own, int[] shape, int element) {
    int index = 0;
    int stride = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      int extent = extent(own, shape.length, i);
      index += extent == 1 ? 0 : element % shape[i] * stride;
      stride *= extent;
      element /= shape[i];
    }
    return index;
  }

  /** Whether the graph is c * tanh(x / c) of its input, and for which c; NaN if it is not. */
  double softCap() {
    JsonNode nodes = graph.path("nodes");
    if (nodes.size() != 3
        || !nodes.get(0).path("op_type").asText().equals("Div")
        || !nodes.get(1).path("op_type").asText().equals("Tanh")
        || !nodes.get(2).path("op_type").asText().equals("Mul")) {
      return Double.NaN;
    }
    String cap = nodes.get(0).path("inputs").path(1).asText();
    boolean same = nodes.get(2).path("inputs").path(1).asText().equals(cap);
    for (JsonNode initializer : graph.path("initializers")) {
      if (same && initializer.path("name").asText().equals(cap)) {
        return initializer(initializer).data[0];
      }
    }
    return Double.NaN;
  }
}
