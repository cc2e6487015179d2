package io.attention4j.testkit;

import io.attention4j.engine.recurrent.memory.MemoryNetwork;
import io.attention4j.engine.recurrent.memory.MemoryState;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.OnlineMemoryInputs;
import io.attention4j.engine.spi.OnlineMemoryKernel;
import io.attention4j.engine.spi.OnlineMemorySpec;
import io.attention4j.engine.spi.OnlineMemorySpec.Rule;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Memories against float64: outputs, weights and traces, whole and cut in calls. */
public abstract class OnlineMemoryKernelContract extends KernelContract {
  private record Case(String name, OnlineMemorySpec spec, int rows, int first) {}

  private record Result(float[] out, float[] state, float[] read) {}

  /** For providers' test classes. */
  protected OnlineMemoryKernelContract() {
    super("online-memory");
  }

  @TestFactory
  final Stream<DynamicTest> cases() {
    List<Case> cases = new ArrayList<>();
    for (Rule rule : Rule.values()) {
      String name = rule.name().toLowerCase(Locale.ROOT);
      cases.add(of(name + "-mlp", 2, MemoryNetwork.mlp(16, 2, 4, true), 4, rule, 23, 9));
      cases.add(of(name + "-odd", 3, MemoryNetwork.mlp(5, 2, 3, true), 3, rule, 14, 1));
      cases.add(of(name + "-plain", 1, MemoryNetwork.mlp(24, 2, 2, false), 1, rule, 12, 5));
      cases.add(of(name + "-linear", 2, MemoryNetwork.linear(16, 16), 8, rule, 33, 17));
      cases.add(of(name + "-wide", 1, MemoryNetwork.mlp(64, 2, 4, true), 16, rule, 20, 16));
      cases.add(of(name + "-no-rows", 1, MemoryNetwork.linear(8, 8), 2, rule, 0, 0));
    }
    MemoryNetwork deep = MemoryNetwork.mlp(8, 3, 2, true);
    cases.add(of("titans-deep", 2, deep, 4, Rule.TITANS, 19, 6));
    cases.add(of("titans-wider", 2, MemoryNetwork.linear(24, 40), 4, Rule.TITANS, 19, 6));
    return cases.stream()
        .map(c -> testCase(c.name, OnlineMemoryKernel.class, c.spec, () -> check(c)));
  }

  private static Case of(
      String name, int heads, MemoryNetwork network, int chunk, Rule rule, int rows, int first) {
    return new Case(name, new OnlineMemorySpec(heads, network, chunk, rule), rows, first);
  }

  private void check(Case c) {
    Result expected = run(reference(), c);
    Result actual = run(device(), c);
    // Every token's step starts from the last one's rounding: a sum over the network's widest row,
    // 2^-24 of it each, through the gradient once per token. Gains stay near 1, since steps are
    // small. LN divides by the deviation of what leaves the network, which each GELU beyond the
    // first thins out to 0.4, and so amplifies its error.
    double widest = c.spec.network().widths().stream().mapToInt(w -> w).max().orElseThrow();
    double thinned = Math.pow(0.4, Math.max(c.spec.network().depth() - 2, 0));
    // Memora's rows are means, whose outputs differ by less: its LN divides by about a fourth.
    boolean means = c.spec.rule() == Rule.MEMORA && c.spec.network().residual();
    double deviation = thinned * (means ? 0.25 : 1);
    double tolerance = 0x1p-24 * (64 + 8 * Math.sqrt(c.rows * widest)) / deviation;
    Comparison.requireClose("out", expected.out, actual.out, tolerance);
    Comparison.requireClose("state", expected.state, actual.state, tolerance);
    Comparison.requireClose("read", expected.read, actual.read, tolerance);
  }

  private static float[] narrow(double[] values) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  /** Initial weights that keep the size of what goes through; for Memora distributions. */
  private static List<MemoryState> start(OnlineMemorySpec spec, CaseRandom random) {
    List<MemoryState> heads = new ArrayList<>();
    MemoryNetwork network = spec.network();
    for (int h = 0; h < spec.heads(); h++) {
      float[] drawn = random.floats(network.parameters(), 1);
      double[] initial = new double[drawn.length];
      for (int m = 0; m < network.depth(); m++) {
        for (int r = 0; r < network.rows(m); r++) {
          int from = network.offset(m) + r * network.columns(m);
          double sum = 0;
          for (int i = from; i < from + network.columns(m); i++) {
            boolean distribution = spec.rule() == Rule.MEMORA;
            initial[i] =
                distribution ? Math.exp(drawn[i]) : 2 * drawn[i] / Math.sqrt(network.columns(m));
            sum += initial[i];
          }
          for (int i = from; spec.rule() == Rule.MEMORA && i < from + network.columns(m); i++) {
            initial[i] /= sum;
          }
        }
      }
      heads.add(spec.memory().newState(initial));
    }
    return heads;
  }

  /** [4, heads, parameters]. */
  private static float[] joined(List<MemoryState> heads) {
    int size = heads.getFirst().weights().length;
    float[] all = new float[4 * heads.size() * size];
    for (int array = 0; array < 4; array++) {
      for (int h = 0; h < heads.size(); h++) {
        float[] ofHead = narrow(heads.get(h).arrays().get(array));
        System.arraycopy(ofHead, 0, all, (array * heads.size() + h) * size, size);
      }
    }
    return all;
  }

  private static float[] between(float[] values, float least, float most) {
    for (int i = 0; i < values.length; i++) {
      values[i] = least + (most - least) * Math.abs(values[i]);
    }
    return values;
  }

  private static float[] unit(float[] values, int dim) {
    for (int at = 0; at < values.length; at += dim) {
      double square = 0;
      for (int i = 0; i < dim; i++) {
        square += (double) values[at + i] * values[at + i];
      }
      for (int i = 0; i < dim; i++) {
        values[at + i] /= (float) Math.sqrt(square);
      }
    }
    return values;
  }

  private Result run(Device on, Case c) {
    OnlineMemorySpec spec = c.spec;
    CaseRandom random = new CaseRandom(c.name);
    int heads = spec.heads();
    int keyDim = spec.network().keyDim();
    int valueDim = spec.network().valueDim();
    int gates = spec.gateWidth();
    float[] q = unit(random.floats(c.rows * heads * keyDim, 1), keyDim);
    float[] k = unit(random.floats(c.rows * heads * keyDim, 1), keyDim);
    float[] v = random.floats(c.rows * heads * valueDim, 1);
    float[] retention = between(random.floats(c.rows * heads * gates, 1), 0.9f, 1);
    float[] step = between(random.floats(c.rows * heads * gates, 1), 0, 0.05f);
    // As a momentum below 1; as a threshold between errors that count in full and outliers.
    float most = spec.rule() == Rule.YAAD ? 4 : 0.9f;
    float[] gate = between(random.floats(c.rows * heads, 1), 0, most);
    List<MemoryState> start = start(spec, random);
    float[] nans = new float[c.rows * heads * valueDim];
    Arrays.fill(nans, Float.NaN);
    try (Device.TensorArena arena = on.newArena()) {
      OnlineMemoryInputs in =
          new OnlineMemoryInputs(
              GuardedFloats.of(on, arena, q, c.rows, heads, keyDim).tensor(),
              GuardedFloats.of(on, arena, k, c.rows, heads, keyDim).tensor(),
              GuardedFloats.of(on, arena, v, c.rows, heads, valueDim).tensor(),
              GuardedFloats.of(on, arena, retention, c.rows, heads, gates).tensor(),
              GuardedFloats.of(on, arena, step, c.rows, heads, gates).tensor(),
              spec.gated() ? GuardedFloats.of(on, arena, gate, c.rows, heads).tensor() : null);
      float[] all = joined(start);
      GuardedFloats state = GuardedFloats.of(on, arena, all, 4, heads, spec.network().parameters());
      GuardedFloats out = GuardedFloats.of(on, arena, nans, c.rows, heads, valueDim);
      GuardedFloats read = GuardedFloats.of(on, arena, nans.clone(), c.rows, heads, valueDim);
      OnlineMemoryKernel kernel = kernel(on, OnlineMemoryKernel.class);
      kernel.run(spec, in, 0, c.first, 0, state.tensor(), out.tensor());
      int place = c.first % spec.chunk();
      kernel.run(spec, in, c.first, c.rows - c.first, place, state.tensor(), out.tensor());
      Tensor asked = in.q();
      kernel.read(spec, asked, 0, c.rows, state.tensor(), read.tensor());
      return new Result(out.read(), state.read(), read.read());
    }
  }
}
