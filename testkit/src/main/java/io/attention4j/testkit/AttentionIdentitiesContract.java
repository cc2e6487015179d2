package io.attention4j.testkit;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.AttentionSpec.SelectionKind;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.GatheredKeys;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.OnlineSoftmax;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.tensor.BFloat16;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.testkit.AttentionData.Pages;
import io.attention4j.testkit.AttentionFixture.Result;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Identities and closed forms that hold for any correct attention kernel, without an oracle. Where
 * two computations need not round alike they agree within the tolerance of the problem; where they
 * are the same computation, bit for bit.
 */
public abstract class AttentionIdentitiesContract extends KernelContract {
  private static final Mask ALL = new Mask.All();

  /** For providers' test classes. */
  protected AttentionIdentitiesContract() {
    super("attention-identity");
  }

  @TestFactory
  final Stream<DynamicTest> identities() {
    AttentionSpec causal = spec(4, 2, 40).build();
    AttentionSpec all = spec(4, 2, 40).mask(ALL).build();
    AttentionSpec blocks = spec(4, 2, 40).mask(ALL).selection(SelectionKind.BLOCKS).build();
    AttentionSpec sinks = spec(4, 2, 40).sinks(List.of(0.5f, -1f, 3f, 0f)).build();
    ScoreModifier bias = new ScoreModifier.AdditiveBias();
    return Stream.of(
        identity("one-key-is-its-value", causal, this::oneKey),
        identity(
            "equal-scores-give-the-mean", spec(2, 1, 8).scale(0).mask(ALL).build(), this::mean),
        identity("split-and-merge", causal, this::splitAndMerge),
        identity("split-sigmoid-adds-up", sigmoid(ALL), this::splitSigmoid),
        identity("sink-joins-at-the-merge", sinks, this::sinkAtMerge),
        identity("sink-of-minus-infinity", noSinks(), this::sinkOfMinusInfinity),
        identity("full-blocks-are-dense", blocks, this::fullBlocks),
        identity("partial-blocks-are-dense", causalBlocks(), this::partialBlocks),
        identity("page-size", causal, this::pageSize),
        identity("page-order", causal, this::pageOrder),
        identity("decode-step-is-prefill-row", causal, this::decodeStep),
        identity("later-keys-change-nothing", causal, this::laterKeys),
        identity("grouped-heads-are-repeated-heads", causal, this::repeatedHeads),
        identity("batch-is-its-sequences", causal, this::batchIsItsSequences),
        identity("slot-bias-is-additive-bias", causal, this::slotBias),
        identity("gathering-all-keys-is-dense", gathering(), this::gatherAll),
        identity("a-key-drawn-twice-weighs-twice", gathering(), this::drawnTwice),
        identity("f16-pages-are-their-values", formats(KvFormat.F16), () -> pages(KvFormat.F16)),
        identity("bf16-pages-are-their-values", formats(KvFormat.BF16), () -> pages(KvFormat.BF16)),
        identity("q8-pages-are-their-values", formats(KvFormat.Q8), () -> pages(KvFormat.Q8)),
        identity("wrong-shapes-are-refused", causal, this::wrongShapes),
        identity("window-open-to-the-left-is-causal", window(), this::windowIsCausal),
        identity("alibi-is-additive-bias", spec(4, 2, 40).modifiers(bias).build(), this::alibi),
        identity("huge-soft-cap-is-none", softCap(), this::hugeSoftCap),
        identity("threads-give-the-same-bits", causal, this::threads),
        identity("plan-is-reusable", all, this::planIsReusable),
        identity("sigmoid-of-equal-keys", sigmoid(ALL), this::sigmoidOfEqualKeys),
        identity("sigmoid-golden-full", golden(ALL), () -> golden(ALL, 0.056285414281)),
        identity(
            "sigmoid-golden-causal",
            golden(new Mask.Causal()),
            () -> golden(new Mask.Causal(), 0.708842342226)));
  }

  private DynamicTest identity(String name, AttentionSpec spec, Check check) {
    return testCase(name, AttentionKernel.class, spec, check);
  }

  private Result run(AttentionData data) {
    return AttentionFixture.evaluate(device(), data);
  }

  private void requireSame(AttentionData data, Result expected, Result actual) {
    AttentionKernelContract.requireClose(data, expected, actual);
  }

  private void oneKey() {
    AttentionData data = AttentionCase.of("one-key", spec(4, 2, 40)).sequence(1, 1).build().data();
    float[] expected = new float[4 * 40];
    for (int h = 0; h < 4; h++) {
      System.arraycopy(data.sequences().getFirst().heads().get(h / 2).v(), 0, expected, h * 40, 40);
    }
    Comparison.requireClose("out", expected, run(data).out(), 1e-6);
  }

  private void mean() {
    AttentionData data =
        AttentionCase.of("mean", spec(2, 1, 8).scale(0).mask(ALL)).sequence(3, 37).build().data();
    float[] v = data.sequences().getFirst().heads().getFirst().v();
    float[] expected = new float[3 * 2 * 8];
    for (int i = 0; i < expected.length; i++) {
      double sum = 0;
      for (int j = 0; j < 37; j++) {
        sum += v[j * 8 + i % 8];
      }
      expected[i] = (float) (sum / 37);
    }
    Result result = run(data);
    Comparison.requireClose("out", expected, result.out(), 1e-6);
    float[] lse = new float[3 * 2];
    Arrays.fill(lse, (float) Math.log(37));
    Comparison.requireClose("lse", lse, result.lse(), 1e-6);
  }

  private void splitAndMerge() {
    AttentionData data =
        AttentionCase.of("split", spec(4, 2, 40)).sequence(9, 67).sequence(3, 20).build().data();
    for (int at : new int[] {0, 1, 16, 40, 67}) {
      Result left = run(data.slots(0, at));
      Result right = run(data.slots(at, 67));
      try (Arena arena = Arena.ofConfined()) {
        Tensor out = Tensor.ofFloats(arena, left.out(), 12, 4, 40);
        Tensor lse = Tensor.ofFloats(arena, left.lse(), 12, 4);
        OnlineSoftmax.merge(
            out,
            lse,
            Tensor.ofFloats(arena, right.out(), 12, 4, 40),
            Tensor.ofFloats(arena, right.lse(), 12, 4));
        requireSame(data, run(data), new Result(out.toFloats(), lse.toFloats()));
      }
    }
  }

  private void splitSigmoid() {
    AttentionData data =
        AttentionCase.of("split-sigmoid", sigmoidBuilder(ALL)).sequence(9, 67).build().data();
    float[] left = run(data.slots(0, 30)).out();
    float[] right = run(data.slots(30, 67)).out();
    for (int i = 0; i < left.length; i++) {
      left[i] += right[i];
    }
    requireSame(data, run(data), new Result(left, null));
  }

  private void sinkAtMerge() {
    List<Float> logits = List.of(0.5f, -1f, 3f, 0f);
    AttentionData without =
        AttentionCase.of("sink-at-merge", spec(4, 2, 40)).sequence(9, 7).build().data();
    Result partial = run(without);
    try (Arena arena = Arena.ofConfined()) {
      Tensor out = Tensor.ofFloats(arena, partial.out(), 9, 4, 40);
      Tensor lse = Tensor.ofFloats(arena, partial.lse(), 9, 4);
      OnlineSoftmax.addSink(out, lse, new float[] {0.5f, -1f, 3f, 0f});
      Result whole = run(without.withSpec(spec(4, 2, 40).sinks(logits).build()));
      requireSame(without, whole, new Result(out.toFloats(), lse.toFloats()));
    }
  }

  private static AttentionSpec noSinks() {
    float none = Float.NEGATIVE_INFINITY;
    return spec(4, 2, 40).sinks(List.of(none, none, none, none)).build();
  }

  private void sinkOfMinusInfinity() {
    AttentionData data = AttentionCase.of("no-sink", spec(4, 2, 40)).sequence(9, 7).build().data();
    requireSame(data, run(data), run(data.withSpec(noSinks())));
  }

  private void fullBlocks() {
    AttentionData data =
        AttentionCase.of("full-blocks", spec(4, 2, 40).mask(ALL)).sequence(20, 67).build().data();
    AttentionSpec spec = spec(4, 2, 40).mask(ALL).selection(SelectionKind.BLOCKS).build();
    requireSame(data, run(data), run(data.withSelection(spec, everyBlock(20, 67, true))));
    // The mask is not evaluated in full blocks, so the causal one gives the same.
    requireSame(data, run(data), run(data.withSelection(causalBlocks(), everyBlock(20, 67, true))));
  }

  private void partialBlocks() {
    AttentionData data =
        AttentionCase.of("partial-blocks", spec(4, 2, 40)).sequence(20, 67).build().data();
    requireSame(
        data, run(data), run(data.withSelection(causalBlocks(), everyBlock(20, 67, false))));
  }

  private static AttentionSpec causalBlocks() {
    return spec(4, 2, 40).selection(SelectionKind.BLOCKS).build();
  }

  private static Selection everyBlock(int rows, int keys, boolean full) {
    BlockMaskBuilder builder = new BlockMaskBuilder(8, 16, BlockMask.HeadAxis.ONE);
    builder.sequence();
    for (int row = 0; row < Math.ceilDiv(rows, 8); row++) {
      builder.row();
      for (int block = 0; block < Math.ceilDiv(keys, 16); block++) {
        if (full) {
          builder.full(block);
        } else {
          builder.partial(block);
        }
      }
    }
    return new Selection.Blocks(builder.build());
  }

  private void pageSize() {
    AttentionData data =
        AttentionCase.of("page-size", spec(4, 2, 40)).sequence(9, 67).build().data();
    Result whole = run(data);
    for (int capacity : new int[] {1, 3, 15, 16, 17, 64, 67, 100}) {
      requireSame(data, whole, run(data.withPages(Pages.of(capacity))));
    }
  }

  private void pageOrder() {
    AttentionData data =
        AttentionCase.of("page-order", spec(4, 2, 40)).sequence(9, 67).build().data();
    requireSame(data, run(data), run(data.withPages(new Pages(16, false, true))));
  }

  private void decodeStep() {
    AttentionData data = AttentionCase.of("decode", spec(4, 2, 40)).sequence(33, 33).build().data();
    Result prefill = run(data);
    for (int t : new int[] {0, 1, 15, 16, 32}) {
      // At step t the cache ends with key t.
      Result step = run(data.rows(t, t + 1).slots(0, t + 1));
      float[] out = Arrays.copyOfRange(prefill.out(), t * 160, (t + 1) * 160);
      float[] lse = Arrays.copyOfRange(prefill.lse(), t * 4, (t + 1) * 4);
      requireSame(data, new Result(out, lse), step);
    }
  }

  private void laterKeys() {
    AttentionData data = AttentionCase.of("later", spec(4, 2, 40)).sequence(33, 33).build().data();
    Result before = run(data);
    AttentionData.Sequence s = data.sequences().getFirst();
    List<AttentionData.Head> changed = new ArrayList<>();
    for (AttentionData.Head head : s.heads()) {
      float[] k = head.k().clone();
      float[] v = head.v().clone();
      for (int i = 20 * 40; i < 33 * 40; i++) {
        k[i] = 1000 - k[i];
        v[i] = 1e6f * v[i];
      }
      changed.add(new AttentionData.Head(k, v, head.positions(), false, null));
    }
    Result after =
        run(
            data.withSequences(
                List.of(new AttentionData.Sequence(33, 0, s.q(), changed, 0, null))));
    Comparison.requireSameBits(
        "rows before the change",
        Arrays.copyOf(before.out(), 20 * 160),
        Arrays.copyOf(after.out(), 20 * 160));
    Comparison.requireSameBits(
        "lse before the change",
        Arrays.copyOf(before.lse(), 20 * 4),
        Arrays.copyOf(after.lse(), 20 * 4));
  }

  private void repeatedHeads() {
    AttentionData data = AttentionCase.of("groups", spec(4, 2, 40)).sequence(9, 35).build().data();
    AttentionData.Sequence s = data.sequences().getFirst();
    List<AttentionData.Head> heads =
        List.of(s.heads().get(0), s.heads().get(0), s.heads().get(1), s.heads().get(1));
    AttentionData repeated =
        data.withSequences(
                List.of(new AttentionData.Sequence(9, s.firstPosition(), s.q(), heads, 0, null)))
            .withSpec(spec(4, 4, 40).build());
    requireSame(data, run(data), run(repeated));
  }

  private void batchIsItsSequences() {
    AttentionData data =
        AttentionCase.of("batch", spec(4, 2, 40))
            .sequence(5, 35)
            .sequence(1, 67)
            .sequence(9, 9)
            .pages(Pages.of(16))
            .build()
            .data();
    Result whole = run(data);
    int row = 0;
    for (AttentionData.Sequence s : data.sequences()) {
      Result alone = run(data.withSequences(List.of(s)));
      float[] out = Arrays.copyOfRange(whole.out(), row * 160, (row + s.rows()) * 160);
      float[] lse = Arrays.copyOfRange(whole.lse(), row * 4, (row + s.rows()) * 4);
      requireSame(data, new Result(out, lse), alone);
      row += s.rows();
    }
  }

  private void slotBias() {
    AttentionData data =
        AttentionCase.of("slot-bias", spec(4, 2, 40)).sequence(9, 35).slotBias().build().data();
    AttentionData.Sequence s = data.sequences().getFirst();
    float[] bias = new float[4 * 35];
    List<AttentionData.Head> heads = new ArrayList<>();
    for (int kvHead = 0; kvHead < 2; kvHead++) {
      AttentionData.Head head = s.heads().get(kvHead);
      heads.add(new AttentionData.Head(head.k(), head.v(), head.positions(), false, null));
      System.arraycopy(head.bias(), 0, bias, 2 * kvHead * 35, 35);
      System.arraycopy(head.bias(), 0, bias, (2 * kvHead + 1) * 35, 35);
    }
    AttentionData additive =
        data.withSequences(
                List.of(new AttentionData.Sequence(9, s.firstPosition(), s.q(), heads, 0, null)))
            .withBias(
                spec(4, 2, 40).modifiers(new ScoreModifier.AdditiveBias()).build(),
                new AttentionData.Bias(bias, 1, 4, 1, 35));
    requireSame(data, run(data), run(additive));
  }

  private static AttentionSpec gathering() {
    return spec(4, 2, 40).selection(SelectionKind.GATHERED).build();
  }

  /** Every row of every head attends to this list of keys. */
  private static Selection everyRow(int rows, int[] keys, float[] bias) {
    int[] heads = {0, 1, 2, 3};
    int[] rowIndptr = new int[5];
    int[] keyIndptr = new int[5];
    int[] rowIndices = new int[4 * rows];
    int[] keyIndices = new int[4 * keys.length];
    float[] entryBias = bias == null ? null : new float[keyIndices.length];
    for (int h = 0; h < 4; h++) {
      rowIndptr[h + 1] = (h + 1) * rows;
      keyIndptr[h + 1] = (h + 1) * keys.length;
      for (int r = 0; r < rows; r++) {
        rowIndices[h * rows + r] = r;
      }
      System.arraycopy(keys, 0, keyIndices, h * keys.length, keys.length);
      if (bias != null) {
        System.arraycopy(bias, 0, entryBias, h * keys.length, keys.length);
      }
    }
    return new Selection.Gathered(
        new GatheredKeys(
            new int[4], heads, rowIndptr, rowIndices, keyIndptr, keyIndices, entryBias));
  }

  private void gatherAll() {
    AttentionData data = AttentionCase.of("gather", spec(4, 2, 40)).sequence(9, 35).build().data();
    int[] keys = new int[35];
    for (int j = 0; j < keys.length; j++) {
      // Another order: 12 and 35 have no common divisor.
      keys[j] = 12 * j % 35;
    }
    requireSame(data, run(data), run(data.withSelection(gathering(), everyRow(9, keys, null))));
  }

  private void drawnTwice() {
    AttentionData data = AttentionCase.of("twice", spec(4, 2, 40)).sequence(9, 35).build().data();
    float ln2 = (float) Math.log(2);
    Selection twice = everyRow(9, new int[] {3, 20, 7, 20}, null);
    Selection weighted = everyRow(9, new int[] {3, 20, 7}, new float[] {0, ln2, 0});
    requireSame(
        data,
        run(data.withSelection(gathering(), twice)),
        run(data.withSelection(gathering(), weighted)));
  }

  private static AttentionSpec formats(KvFormat format) {
    return spec(4, 2, 40).formats(format, format).build();
  }

  private void pages(KvFormat format) {
    AttentionData data =
        AttentionCase.of("pages", spec(4, 2, 40))
            .sequence(9, 35)
            .pages(Pages.of(16))
            .build()
            .data();
    AttentionData.Sequence s = data.sequences().getFirst();
    List<AttentionData.Head> stored = new ArrayList<>();
    for (AttentionData.Head head : s.heads()) {
      float[] k = stored(head.k(), format);
      float[] v = stored(head.v(), format);
      stored.add(new AttentionData.Head(k, v, head.positions(), false, null));
    }
    AttentionData plain =
        data.withSequences(
            List.of(new AttentionData.Sequence(9, s.firstPosition(), s.q(), stored, 0, null)));
    requireSame(data, run(plain), run(data.withSpec(formats(format))));
  }

  /** What vectors of 40 elements read as after they were stored. */
  private static float[] stored(float[] values, KvFormat format) {
    float[] result = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      if (format.equals(KvFormat.F16)) {
        result[i] = Float.float16ToFloat(Float.floatToFloat16(values[i]));
      } else if (format.equals(KvFormat.BF16)) {
        result[i] = BFloat16.toFloat(BFloat16.fromFloat(values[i]));
      } else {
        float max = 0;
        for (int j = i / 40 * 40; j < (i / 40 + 1) * 40; j++) {
          max = Math.max(max, Math.abs(values[j]));
        }
        float scale = max / 127;
        result[i] = (float) (Math.rint((double) values[i] / scale) * scale);
      }
    }
    return result;
  }

  private void wrongShapes() {
    AttentionData data = AttentionCase.of("wrong", spec(4, 2, 40)).sequence(3, 9).build().data();
    AttentionSpec wider = spec(4, 2, 48).build();
    try (AttentionFixture fixture = new AttentionFixture(device(), data);
        AttentionPlan plan = kernel(device(), AttentionKernel.class).plan(wider)) {
      fixture.run(plan);
    } catch (IllegalArgumentException refusal) {
      String message = refusal.getMessage();
      if (message == null || !message.contains("48") || !message.contains("[3, 4, 40]")) {
        throw new AssertionError("the refusal does not name both shapes: " + message, refusal);
      }
      return;
    }
    throw new AssertionError("q of 40 elements per head was taken for a head of 48");
  }

  private static AttentionSpec window() {
    return spec(4, 2, 40).mask(new Mask.Window(Mask.Window.UNBOUNDED, 0)).build();
  }

  private void windowIsCausal() {
    AttentionData data = AttentionCase.of("window", spec(4, 2, 40)).sequence(9, 35).build().data();
    requireSame(data, run(data), run(data.withSpec(window())));
  }

  private void alibi() {
    List<Float> slopes = List.of(0.5f, 0.25f, 0.125f, 0.0625f);
    AttentionSpec alibi = spec(4, 2, 40).modifiers(new ScoreModifier.Alibi(slopes)).build();
    AttentionSpec additive = spec(4, 2, 40).modifiers(new ScoreModifier.AdditiveBias()).build();
    AttentionData data =
        AttentionCase.of("alibi", spec(4, 2, 40)).sequence(9, 35).build().data().withSpec(alibi);
    float[] bias = new float[4 * 9 * 35];
    for (int i = 0; i < bias.length; i++) {
      int h = i / (9 * 35);
      int query = 26 + i / 35 % 9;
      bias[i] = -slopes.get(h) * Math.abs(query - i % 35);
    }
    requireSame(
        data, run(data), run(data.withBias(additive, new AttentionData.Bias(bias, 1, 4, 9, 35))));
  }

  private static AttentionSpec softCap() {
    return spec(4, 2, 40).modifiers(new ScoreModifier.SoftCap(1e4f)).build();
  }

  private void hugeSoftCap() {
    AttentionData data = AttentionCase.of("cap", spec(4, 2, 40)).sequence(9, 35).build().data();
    // cap * tanh(x / cap) = x (1 - (x / cap)^2 / 3): at cap 1e4 the rounding of tanh is all that is
    // left.
    requireSame(data, run(data), run(data.withSpec(softCap())));
  }

  private void threads() {
    for (KvFormat format : List.of(KvFormat.F32, KvFormat.Q8)) {
      AttentionSpec spec = spec(6, 2, 64).formats(format, format).build();
      List<AttentionData> problems =
          List.of(
              AttentionCase.of("threads-prefill", spec(6, 2, 64)).sequence(70, 150).build().data(),
              AttentionCase.of("threads-decode", spec(6, 2, 64))
                  .sequence(1, 1500)
                  .pages(Pages.of(64))
                  .build()
                  .data());
      for (AttentionData data : problems) {
        Result one = null;
        for (int threads : new int[] {1, 2, 4}) {
          try (Device opened = provider().open(new DeviceOptions(threads))) {
            Result result = AttentionFixture.evaluate(opened, data.withSpec(spec));
            if (one == null) {
              one = result;
            }
            Comparison.requireSameBits("out on " + threads + " threads", one.out(), result.out());
            Comparison.requireSameBits("lse on " + threads + " threads", one.lse(), result.lse());
          }
        }
      }
    }
  }

  private void planIsReusable() {
    AttentionKernel kernel = kernel(device(), AttentionKernel.class);
    AttentionSpec spec = spec(4, 2, 40).mask(ALL).build();
    try (AttentionPlan plan = kernel.plan(spec)) {
      for (int[] size : new int[][] {{3, 20}, {40, 300}, {1, 5}, {0, 5}, {2, 0}, {9, 70}}) {
        AttentionData data =
            AttentionCase.of("reuse-" + size[0] + "-" + size[1], spec(4, 2, 40).mask(ALL))
                .sequence(size[0], size[1])
                .pages(Pages.of(16))
                .build()
                .data();
        try (AttentionFixture fixture = new AttentionFixture(device(), data)) {
          Comparison.requireSameBits(
              "out of a reused plan", run(data).out(), fixture.run(plan).out());
        }
      }
    }
  }

  private void sigmoidOfEqualKeys() {
    // n equal keys with score 0 and bias -ln n: every weight is 1 / (1 + n).
    int keys = 35;
    AttentionData data =
        AttentionCase.of("equal-keys", sigmoidBuilder(ALL).scale(0))
            .sequence(3, keys)
            .build()
            .data();
    float[] v = data.sequences().getFirst().heads().getFirst().v();
    float[] out = run(data).out();
    float[] expected = new float[40];
    for (int i = 0; i < expected.length; i++) {
      double sum = 0;
      for (int j = 0; j < keys; j++) {
        sum += v[j * 40 + i];
      }
      expected[i] = (float) (sum / (1 + keys));
    }
    Comparison.requireClose("head 0 of row 0", expected, Arrays.copyOf(out, 40), 2e-6);
  }

  /**
   * Golden values of Apple's sigmoid attention in float64; inputs sin(1.3 n + seed), rounded to
   * float.
   */
  private void golden(Mask mask, double sum) {
    AttentionData.Head head =
        new AttentionData.Head(
            sines(0.2, 32), sines(0.3, 24), new long[] {0, 1, 2, 3, 4, 5, 6, 7}, false, null);
    AttentionData.Sequence sequence =
        new AttentionData.Sequence(8, 0, sines(0.1, 32), List.of(head), 0, null);
    float[] out =
        run(new AttentionData(
                golden(mask),
                List.of(sequence),
                null,
                null,
                Selection.NONE,
                Pages.of(3),
                Layout.CONTIGUOUS,
                "golden"))
            .out();
    double actual = 0;
    for (float value : out) {
      actual += value;
    }
    // 24 outputs below 1, from inputs rounded to float: errors of about 1e-7 each.
    if (!(Math.abs(actual - sum) < 1e-6) || !(Math.abs(out[21] - 0.059328335958) < 2e-7)) {
      throw new AssertionError("sum " + actual + " instead of " + sum + ", o[7][0] " + out[21]);
    }
  }

  private static AttentionSpec golden(Mask mask) {
    return spec(1, 1, 4)
        .valueDim(3)
        .scale(0.5f)
        .normalizer(new Normalizer.Sigmoid((float) -Math.log(8)))
        .mask(mask)
        .build();
  }

  private static float[] sines(double seed, int count) {
    float[] values = new float[count];
    for (int n = 0; n < count; n++) {
      values[n] = (float) Math.sin(1.3 * n + seed);
    }
    return values;
  }

  private static AttentionSpec sigmoid(Mask mask) {
    return sigmoidBuilder(mask).build();
  }

  private static AttentionSpec.Builder sigmoidBuilder(Mask mask) {
    return spec(4, 2, 40).mask(mask).normalizer(new Normalizer.Sigmoid((float) -Math.log(35)));
  }

  private static AttentionSpec.Builder spec(int queryHeads, int kvHeads, int headDim) {
    return AttentionSpec.builder(queryHeads, kvHeads, headDim);
  }
}
