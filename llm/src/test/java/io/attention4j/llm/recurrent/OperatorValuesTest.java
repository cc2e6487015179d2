package io.attention4j.llm.recurrent;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.attention4j.engine.attention.SoftmaxState;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.recurrent.DeltaNet;
import io.attention4j.engine.recurrent.DynamicalSystem;
import io.attention4j.engine.recurrent.GatedDeltaNet;
import io.attention4j.engine.recurrent.GatedLinearAttention;
import io.attention4j.engine.recurrent.Gates;
import io.attention4j.engine.recurrent.KimiDeltaAttention;
import io.attention4j.engine.recurrent.LinearAttention;
import io.attention4j.engine.recurrent.Mamba2;
import io.attention4j.engine.recurrent.NormalizedLinearAttention;
import io.attention4j.engine.recurrent.Recurrence;
import io.attention4j.engine.recurrent.RetNet;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.Rwkv7;
import io.attention4j.engine.recurrent.SigmoidAttention;
import io.attention4j.engine.recurrent.TaylorFeatures;
import io.attention4j.engine.recurrent.layer.LayerWeights;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Operators of a decoder against the float64 operators of engine-core on the same inputs. */
class OperatorValuesTest {
  private static final int TOKENS = 29;
  private static final int HEADS = LayerRun.HEADS;
  private static final int GROUP = HEADS / LayerRun.KV_HEADS;
  private static final int DIM = LayerRun.DIM;
  private static final int WIDTH = LayerRun.WIDTH;
  private static final int CHANNELS = LayerRun.KV_HEADS * DIM;
  private static final int RANK = 3;
  private static final double SCALE = LayerRun.shape().scale();

  /** f32 sums of some hundred products of numbers up to 1. */
  private static final double TOLERANCE = 2e-5;

  private static final LayerWeights WEIGHTS = LayerWeights.untrained(1, "layers.1.");

  /** Outputs of a query head, [TOKENS, DIM]. */
  private interface Expected {
    Rows head(LayerRun run, int head);
  }

  private static Rows part(float[] all, int heads, int head) {
    Rows rows = new Rows(new double[TOKENS * DIM], DIM);
    for (int t = 0; t < TOKENS; t++) {
      for (int d = 0; d < DIM; d++) {
        rows.values()[t * DIM + d] = all[(t * heads + head) * DIM + d];
      }
    }
    return rows;
  }

  private static Rows q(LayerRun run, int head) {
    return part(run.q, HEADS, head);
  }

  private static Rows k(LayerRun run, int head) {
    return part(run.k, LayerRun.KV_HEADS, head / GROUP);
  }

  private static Rows v(LayerRun run, int head) {
    return part(run.v, LayerRun.KV_HEADS, head / GROUP);
  }

  private static Rows hidden(LayerRun run) {
    double[] values = new double[run.hidden.length];
    for (int i = 0; i < values.length; i++) {
      values[i] = run.hidden[i];
    }
    return new Rows(values, WIDTH);
  }

  /** hidden W, columns of one head. */
  private static Rows projected(LayerRun run, String name, int out, int head) {
    return columns(WEIGHTS.projection(name, WIDTH, out).apply(hidden(run)), out, head);
  }

  private static Rows lowRank(LayerRun run, String name, int head) {
    Rows down = WEIGHTS.projection(name + ".down", WIDTH, RANK).apply(hidden(run));
    return columns(WEIGHTS.projection(name + ".up", RANK, CHANNELS).apply(down), CHANNELS, head);
  }

  private static Rows columns(Rows all, int out, int head) {
    int width = out / LayerRun.KV_HEADS;
    double[] values = new double[TOKENS * width];
    for (int t = 0; t < TOKENS; t++) {
      System.arraycopy(all.values(), t * out + head / GROUP * width, values, t * width, width);
    }
    return new Rows(values, width);
  }

  private static Rows run(DynamicalSystem system) {
    return Recurrence.run(system, system.newState());
  }

  private static Stream<DynamicTest> check(String option, Expected expected) {
    return Stream.of("reference", "cpu.scalar", "cpu.simd")
        .map(
            kernels ->
                DynamicTest.dynamicTest(
                    kernels + " " + option,
                    () -> {
                      try (LayerRun run = new LayerRun(kernels, option, TOKENS);
                          LayerState state = run.newState()) {
                        float[] actual = run.attend(state, 0, TOKENS);
                        requireClose(head -> expected.head(run, head), actual);
                      }
                    }));
  }

  private static void requireClose(IntFunction<Rows> expected, float[] actual) {
    for (int h = 0; h < HEADS; h++) {
      Rows wanted = expected.apply(h);
      for (int t = 0; t < TOKENS; t++) {
        for (int d = 0; d < DIM; d++) {
          double value = wanted.at(t, d);
          assertEquals(
              value,
              actual[(t * HEADS + h) * DIM + d],
              TOLERANCE * Math.max(1, Math.abs(value)),
              "head " + h + " token " + t);
        }
      }
    }
  }

  @TestFactory
  Stream<DynamicTest> scans() {
    return Stream.of(
            check(
                "linear", (r, h) -> run(LinearAttention.system(q(r, h), k(r, h), v(r, h), SCALE))),
            check(
                "retnet",
                (r, h) ->
                    run(RetNet.system(q(r, h), k(r, h), v(r, h), RetNet.gamma(h / GROUP), SCALE))),
            check(
                "gla:seed=1;rank=3",
                (r, h) ->
                    run(
                        GatedLinearAttention.system(
                            q(r, h),
                            k(r, h),
                            v(r, h),
                            lowRank(r, "g", h).map(x -> Gates.logSigmoid(x) / 16),
                            SCALE))),
            check(
                "mamba2:seed=1",
                (r, h) ->
                    // Untrained, A_log is 0 and D 1.
                    run(
                        Mamba2.system(
                            v(r, h),
                            k(r, h),
                            q(r, h),
                            projected(r, "w_dt", LayerRun.KV_HEADS, h).map(Gates::softplus),
                            -1,
                            1))),
            check(
                "deltanet:seed=1",
                (r, h) ->
                    run(
                        DeltaNet.system(
                            q(r, h).l2Normalized(),
                            k(r, h).l2Normalized(),
                            v(r, h),
                            projected(r, "w_beta", LayerRun.KV_HEADS, h).map(Gates::sigmoid),
                            SCALE))),
            check(
                "gdn:seed=1",
                (r, h) ->
                    run(
                        GatedDeltaNet.system(
                            q(r, h).l2Normalized(),
                            k(r, h).l2Normalized(),
                            v(r, h),
                            projected(r, "w_beta", LayerRun.KV_HEADS, h).map(Gates::sigmoid),
                            projected(r, "w_dt", LayerRun.KV_HEADS, h).map(x -> -Gates.softplus(x)),
                            SCALE))),
            check(
                "kda:seed=1;rank=3",
                (r, h) ->
                    run(
                        KimiDeltaAttention.system(
                            q(r, h).l2Normalized(),
                            k(r, h).l2Normalized(),
                            v(r, h),
                            projected(r, "w_beta", LayerRun.KV_HEADS, h).map(Gates::sigmoid),
                            lowRank(r, "g", h).map(x -> -Gates.softplus(x)),
                            SCALE))))
        .flatMap(tests -> tests);
  }

  /** Untrained, k_k and k_a are 1. */
  @TestFactory
  Stream<DynamicTest> rwkv7() {
    return check(
        "rwkv7:seed=1;rank=3",
        (r, h) -> {
          Rows rate = lowRank(r, "a", h).map(Gates::sigmoid);
          return run(
              Rwkv7.system(
                  q(r, h),
                  k(r, h).times(rate),
                  v(r, h),
                  lowRank(r, "g", h).map(Rwkv7::logDecay),
                  k(r, h).l2Normalized(),
                  rate));
        });
  }

  @TestFactory
  Stream<DynamicTest> based() {
    return check(
        "based",
        (r, h) ->
            NormalizedLinearAttention.normalize(
                run(
                    NormalizedLinearAttention.system(
                        TaylorFeatures.compact(q(r, h)), TaylorFeatures.compact(k(r, h)), v(r, h))),
                1e-12));
  }

  /** Aaren's state is what merges split KV ranges. */
  @TestFactory
  Stream<DynamicTest> aaren() {
    Rows queries = WEIGHTS.rows("query", HEADS, DIM);
    return check(
        "aaren:seed=1",
        (r, h) -> {
          SoftmaxState prefix = new SoftmaxState(DIM);
          SoftmaxState token = new SoftmaxState(DIM);
          Rows y = new Rows(new double[TOKENS * DIM], DIM);
          for (int t = 0; t < TOKENS; t++) {
            double score = 0;
            for (int d = 0; d < DIM; d++) {
              score += queries.at(h, d) * k(r, h).at(t, d);
            }
            prefix.combine(token.set(SCALE * score, v(r, h).values(), t * DIM));
            for (int d = 0; d < DIM; d++) {
              y.values()[t * DIM + d] = prefix.output(d);
            }
          }
          return y;
        });
  }

  /** The shards of the recurrent form add up to what the flash kernel gives. */
  @TestFactory
  Stream<DynamicTest> sigmoidInShardsIsTheKernel() {
    SigmoidAttention sigmoid = new SigmoidAttention(SCALE, -3);
    return check(
        "sigmoid:bias=-3",
        (r, h) -> {
          Rows y = new Rows(new double[TOKENS * DIM], DIM);
          for (int t = 0; t < TOKENS; t++) {
            double[] sum = new double[DIM];
            for (int from = 0; from <= t; from += 5) {
              int to = Math.min(from + 5, t + 1);
              Rows shard =
                  sigmoid.run(
                      q(r, h).slice(t, t + 1),
                      k(r, h).slice(from, to),
                      v(r, h).slice(from, to),
                      false);
              for (int d = 0; d < DIM; d++) {
                sum[d] += shard.at(0, d);
              }
            }
            System.arraycopy(sum, 0, y.values(), t * DIM, DIM);
          }
          return y;
        });
  }
}
