package io.attention4j.cli.conformance;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.NormSpec;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Runs every case of a folder and compares with the expected outputs: |actual - expected| &lt;=
 * tolerance * (1 + |expected|), non-finite values equal, with the tolerance 1e-5 of float32 (and
 * float64, since kernels compute float32) and 2e-3 of float16 outputs.
 */
public final class Conformance {
  private static final double FLOAT_TOLERANCE = 1e-5;
  private static final double HALF_TOLERANCE = 2e-3;

  private static final Map<String, OnnxOperator> OPERATORS =
      Map.ofEntries(
          Map.entry("Attention", new OnnxAttention()),
          Map.entry("FlexAttention", new OnnxFlexAttention()),
          Map.entry("LinearAttention", new OnnxLinearAttention()),
          Map.entry("CausalConvWithState", new OnnxCausalConv()),
          Map.entry("RotaryEmbedding", new OnnxRotaryEmbedding()),
          Map.entry("RMSNormalization", new OnnxNormalization(NormSpec.Kind.RMS, "scale")),
          Map.entry("LayerNormalization", new OnnxNormalization(NormSpec.Kind.LAYER, "Scale")),
          Map.entry("Softmax", new OnnxSoftmax()),
          Map.entry("TensorScatter", new OnnxTensorScatter()),
          Map.entry("Gelu", OnnxActivation::gelu),
          Map.entry("Swish", OnnxActivation::swish),
          Map.entry("SwiGLU", OnnxActivation::swiglu));

  /**
   * What became of the cases.
   *
   * @param passed by operator
   * @param failed by operator
   * @param skipped by operator, or by operator and form
   */
  public record Summary(
      Map<String, Integer> passed, Map<String, Integer> failed, Map<String, Integer> skipped) {
    /** Whether something ran and nothing failed. */
    public boolean ok() {
      return failed.isEmpty() && !passed.isEmpty();
    }

    static int total(Map<String, Integer> counts) {
      return counts.values().stream().mapToInt(Integer::intValue).sum();
    }

    @Override
    public String toString() {
      return total(passed)
          + " passed, "
          + total(failed)
          + " failed, "
          + total(skipped)
          + " skipped";
    }
  }

  private final KernelSelector kernels;
  private final PrintWriter out;
  private final Summary summary = new Summary(new TreeMap<>(), new TreeMap<>(), new TreeMap<>());
  private final Map<String, Integer> notCompared = new TreeMap<>();
  private int scoresByReference;

  /** Runs on these kernels and writes lines for people. */
  public Conformance(KernelSelector kernels, PrintWriter out) {
    this.kernels = kernels;
    this.out = out;
  }

  /**
   * Runs all case folders of a folder in the order of their names: a line per failure, one per
   * skipped kind and per operator, and last the totals.
   *
   * @throws IOException if the folder cannot be listed
   */
  public Summary run(Path root) throws IOException {
    List<Path> folders;
    try (Stream<Path> entries = Files.list(root)) {
      folders =
          entries.filter(entry -> Files.exists(entry.resolve(OnnxCase.META))).sorted().toList();
    }
    for (Path folder : folders) {
      run(folder, folder.getFileName().toString());
    }
    summary.passed.forEach((name, count) -> out.println("passed " + name + ": " + count));
    summary.skipped.forEach((name, count) -> out.println("skipped " + name + ": " + count));
    notCompared.forEach(
        (name, count) ->
            out.println("no kernel gives output " + name + ", not compared: " + count));
    if (scoresByReference > 0) {
      out.println(
          OnnxAttention.QK_OUTPUT
              + " of "
              + scoresByReference
              + " cases came from the reference kernels");
    }
    out.println(summary);
    out.flush();
    return summary;
  }

  private void run(Path folder, String name) {
    String operator = "unreadable";
    try {
      operator = OnnxCase.operator(folder);
      OnnxOperator known = OPERATORS.get(operator);
      if (known == null) {
        count(summary.skipped, operator);
        return;
      }
      OnnxCase onnxCase = OnnxCase.read(folder);
      String failure = compare(onnxCase, known.compute(onnxCase, kernels));
      if (failure == null) {
        count(summary.passed, operator);
      } else {
        fail(operator, name, failure);
      }
    } catch (SkippedCaseException e) {
      count(summary.skipped, operator + " (" + e.getMessage() + ")");
    } catch (JsonProcessingException e) {
      fail(operator, name, OnnxCase.META + " is no JSON: " + e.getOriginalMessage());
    } catch (IllegalArgumentException e) {
      fail(operator, name, e.getMessage());
    } catch (IOException | RuntimeException e) {
      fail(operator, name, e.toString());
    }
  }

  private void fail(String operator, String name, String reason) {
    count(summary.failed, operator);
    out.println("FAILED " + name + " (" + operator + "): " + reason);
  }

  private static void count(Map<String, Integer> counts, String name) {
    counts.merge(name, 1, Integer::sum);
  }

  /** The first output that is outside its tolerance, or null. */
  private String compare(OnnxCase onnxCase, Map<String, double[]> actual) {
    int compared = 0;
    for (Map.Entry<String, OnnxTensor> output : onnxCase.outputs().entrySet()) {
      String slot = output.getKey();
      double[] values = actual.get(slot);
      if (values == null) {
        count(notCompared, onnxCase.operator() + "." + slot);
        continue;
      }
      compared++;
      boolean scores = slot.equals(OnnxAttention.QK_OUTPUT);
      scoresByReference += scores ? 1 : 0;
      String failure = compare(output.getValue(), values);
      if (failure != null) {
        return slot + (scores ? " (from the reference kernels) " : " ") + failure;
      }
    }
    return compared == 0 ? "has no output to compare" : null;
  }

  private static String compare(OnnxTensor expected, double[] actual) {
    if (expected.values().length != actual.length) {
      return "has " + actual.length + " elements instead of " + expected.values().length;
    }
    double tolerance = expected.dtype().equals("float16") ? HALF_TOLERANCE : FLOAT_TOLERANCE;
    double worst = 0;
    int worstAt = -1;
    for (int i = 0; i < actual.length; i++) {
      double want = expected.values()[i];
      if (Double.compare(want, actual[i]) == 0) {
        continue;
      }
      if (!Double.isFinite(want) || !Double.isFinite(actual[i])) {
        return "element " + i + " is " + actual[i] + " instead of " + want;
      }
      double excess = Math.abs(want - actual[i]) / (1 + Math.abs(want));
      if (excess > worst) {
        worst = excess;
        worstAt = i;
      }
    }
    if (worst <= tolerance) {
      return null;
    }
    return "has max error "
        + Math.abs(expected.values()[worstAt] - actual[worstAt])
        + " at element "
        + worstAt
        + " ("
        + actual[worstAt]
        + " instead of "
        + expected.values()[worstAt]
        + "); the tolerance is "
        + tolerance
        + " absolute plus relative";
  }
}
