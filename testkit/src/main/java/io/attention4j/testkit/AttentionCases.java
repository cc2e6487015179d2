package io.attention4j.testkit;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.AttentionSpec.SelectionKind;
import io.attention4j.engine.attention.BlockMask.HeadAxis;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.Normalizer;
import io.attention4j.engine.attention.ScoreModifier;
import io.attention4j.testkit.AttentionData.Pages;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The table of attention cases: every word of the attention vocabulary, sizes around vector lanes
 * and page borders, and the inputs that break kernels. The names are stable.
 */
public final class AttentionCases {
  private static final Mask ALL = new Mask.All();
  private static final Mask CAUSAL = new Mask.Causal();

  private final List<AttentionCase> cases = new ArrayList<>();

  private AttentionCases() {}

  /** All cases; names are unique. */
  public static List<AttentionCase> all() {
    AttentionCases table = new AttentionCases();
    table.lengths();
    table.heads();
    table.formats();
    table.masks();
    table.modifiers();
    table.normalizers();
    table.batches();
    table.blocks();
    table.gathered();
    table.extremes();
    return List.copyOf(table.cases);
  }

  private void add(AttentionCase.Builder builder) {
    cases.add(builder.build());
  }

  private static AttentionSpec.Builder spec(int queryHeads, int kvHeads, int headDim) {
    return AttentionSpec.builder(queryHeads, kvHeads, headDim);
  }

  private void lengths() {
    for (int keys : new int[] {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 129}) {
      add(
          AttentionCase.of("decode-keys" + keys, spec(2, 1, 40))
              .sequence(1, keys)
              .pages(Pages.of(16)));
      add(
          AttentionCase.of("prefill-keys" + keys, spec(2, 2, 40))
              .sequence(keys, keys)
              .pages(Pages.of(16)));
    }
    add(AttentionCase.of("decode-keys4097", spec(4, 2, 64)).sequence(1, 4097).pages(Pages.of(64)));
    add(AttentionCase.of("decode-keys4097-one-page", spec(4, 2, 64)).sequence(1, 4097));
    add(AttentionCase.of("append-rows5-keys1029", spec(4, 2, 64)).sequence(5, 1029));
    add(AttentionCase.of("append-rows40-keys8200", spec(2, 1, 40)).sequence(40, 8200));
    add(AttentionCase.of("prefill-rows130-keys260", spec(4, 2, 64)).sequence(130, 260));
    for (int page : new int[] {1, 3, 16, 64}) {
      add(
          AttentionCase.of("page-size" + page, spec(4, 2, 64))
              .sequence(7, 67)
              .pages(Pages.of(page)));
    }
    add(
        AttentionCase.of("partial-pages", spec(4, 2, 64))
            .sequence(7, 67)
            .pages(new Pages(16, true, false)));
  }

  private void heads() {
    for (int dim : new int[] {1, 8, 13, 40, 64, 80, 128, 256}) {
      add(AttentionCase.of("dim" + dim + "-decode", spec(2, 1, dim)).sequence(1, 50));
      add(AttentionCase.of("dim" + dim + "-prefill", spec(2, 1, dim)).sequence(9, 33));
    }
    int[][] pairs = {{192, 128}, {64, 40}, {40, 8}, {8, 128}, {13, 7}, {576, 512}};
    for (int[] pair : pairs) {
      String name = "dim" + pair[0] + "-value" + pair[1];
      add(
          AttentionCase.of(name + "-decode", spec(2, 1, pair[0]).valueDim(pair[1]))
              .sequence(1, 21));
      add(
          AttentionCase.of(name + "-prefill", spec(2, 1, pair[0]).valueDim(pair[1]))
              .sequence(6, 21));
    }
    int[][] groups = {{1, 1}, {3, 3}, {3, 1}, {6, 2}, {8, 1}, {16, 2}, {10, 2}};
    for (int[] group : groups) {
      String name = "heads" + group[0] + "-kv" + group[1];
      add(AttentionCase.of(name + "-decode", spec(group[0], group[1], 64)).sequence(1, 37));
      add(AttentionCase.of(name + "-prefill", spec(group[0], group[1], 64)).sequence(11, 37));
    }
    for (Layout layout : Layout.values()) {
      add(
          AttentionCase.of("layout-" + layout.name().toLowerCase() + "-decode", spec(4, 2, 64))
              .sequence(1, 35)
              .layout(layout));
      add(
          AttentionCase.of("layout-" + layout.name().toLowerCase() + "-prefill", spec(4, 2, 40))
              .sequence(9, 35)
              .layout(layout));
    }
  }

  private void formats() {
    Map<String, KvFormat> formats =
        new TreeMap<>(
            Map.of(
                "f16",
                KvFormat.F16,
                "bf16",
                KvFormat.BF16,
                "q8",
                KvFormat.Q8,
                "q4",
                KvFormat.Q4,
                "f32",
                KvFormat.F32));
    for (int dim : new int[] {13, 64, 80}) {
      for (String name : List.of("bf16", "f16", "q8", "q4")) {
        KvFormat format = formats.get(name);
        String prefix = name + "-dim" + dim;
        add(
            AttentionCase.of(prefix + "-decode", spec(4, 2, dim).formats(format, format))
                .sequence(1, 67)
                .pages(Pages.of(16)));
        add(
            AttentionCase.of(prefix + "-prefill", spec(4, 2, dim).formats(format, format))
                .sequence(9, 67)
                .pages(Pages.of(16)));
      }
    }
    for (String keys : formats.keySet()) {
      for (String values : formats.keySet()) {
        if (!keys.equals(values)) {
          add(
              AttentionCase.of(
                      "keys-" + keys + "-values-" + values,
                      spec(2, 1, 64).valueDim(40).formats(formats.get(keys), formats.get(values)))
                  .sequence(3, 35)
                  .pages(Pages.of(7)));
        }
      }
    }
    GroupedPageCases.all().forEach(this::add);
    add(
        AttentionCase.of("q8-partial-pages", spec(4, 2, 13).formats(KvFormat.Q8, KvFormat.Q8))
            .sequence(5, 35)
            .pages(new Pages(5, true, false)));
    add(
        AttentionCase.of("q4-partial-pages", spec(4, 2, 45).formats(KvFormat.Q4, KvFormat.Q4))
            .sequence(5, 35)
            .pages(new Pages(5, true, false)));
  }

  private void masks() {
    add(AttentionCase.of("mask-all", spec(4, 2, 40).mask(ALL)).sequence(9, 35));
    add(AttentionCase.of("causal-top-left", spec(4, 2, 40)).sequence(9, 35, 0));
    add(AttentionCase.of("causal-rows-exceed-keys", spec(4, 2, 40)).sequence(40, 33));
    add(AttentionCase.of("causal-all-rows-empty", spec(4, 2, 40)).sequence(5, 33, -5));
    add(
        AttentionCase.of("causal-gaps", spec(4, 2, 40))
            .sequence(9, 20, 13)
            .gaps()
            .pages(Pages.of(7)));
    long open = Mask.Window.UNBOUNDED;
    long[][] windows = {
      {0, 0}, {3, 0}, {5, 2}, {0, 4}, {16, 0}, {open, 0}, {2, open}, {open, open}
    };
    for (long[] w : windows) {
      String name =
          "window-" + (w[0] == open ? "open" : w[0]) + "-" + (w[1] == open ? "open" : w[1]);
      add(
          AttentionCase.of(name, spec(4, 2, 40).mask(new Mask.Window(w[0], w[1])))
              .sequence(21, 70)
              .pages(Pages.of(16)));
      add(
          AttentionCase.of(name + "-decode", spec(4, 2, 40).mask(new Mask.Window(w[0], w[1])))
              .sequence(1, 70)
              .pages(Pages.of(16)));
    }
    add(
        AttentionCase.of("window-past-the-keys", spec(4, 2, 40).mask(new Mask.Window(3, 0)))
            .sequence(6, 20, 18));
    add(
        AttentionCase.of("window-gaps", spec(4, 2, 40).mask(new Mask.Window(6, 0)))
            .sequence(9, 20, 20)
            .gaps());
    add(AttentionCase.of("prefix", spec(4, 2, 40).mask(new Mask.Prefix())).sequence(35, 35));
    Mask sinkWindow =
        new Mask.AllOf(
            List.of(CAUSAL, new Mask.AnyOf(List.of(new Mask.Window(5, 0), new Mask.Global(3)))));
    add(AttentionCase.of("global-window", spec(4, 2, 40).mask(sinkWindow)).sequence(35, 35));
    add(AttentionCase.of("global-window-decode", spec(4, 2, 40).mask(sinkWindow)).sequence(1, 35));
    add(AttentionCase.of("global", spec(4, 2, 40).mask(new Mask.Global(4))).sequence(20, 35));
    add(AttentionCase.of("document", spec(4, 2, 40).mask(new Mask.Document())).sequence(35, 35));
    Mask documentCausal = new Mask.AllOf(List.of(CAUSAL, new Mask.Document()));
    add(
        AttentionCase.of("document-and-causal", spec(4, 2, 40).mask(documentCausal))
            .sequence(35, 35));
    add(
        AttentionCase.of("all-of-nothing", spec(2, 1, 40).mask(new Mask.AllOf(List.of())))
            .sequence(3, 9));
    add(
        AttentionCase.of("any-of-nothing", spec(2, 1, 40).mask(new Mask.AnyOf(List.of())))
            .sequence(3, 9));
    Mask nested =
        new Mask.AnyOf(
            List.of(
                new Mask.Window(2, 0),
                new Mask.AllOf(List.of(CAUSAL, new Mask.Bits(), new Mask.Document()))));
    add(
        AttentionCase.of("nested", spec(4, 2, 40).mask(nested))
            .sequence(20, 35)
            .bits(1, 1, 20, 35));
    Mask bits = new Mask.Bits();
    add(AttentionCase.of("bits-full", spec(4, 2, 40).mask(bits)).sequence(9, 35).bits(1, 4, 9, 35));
    add(
        AttentionCase.of("bits-per-row", spec(4, 2, 40).mask(bits))
            .sequence(9, 35)
            .bits(1, 1, 9, 35));
    add(
        AttentionCase.of("bits-per-head", spec(4, 2, 40).mask(bits))
            .sequence(9, 35)
            .bits(1, 4, 1, 35));
    add(
        AttentionCase.of("bits-per-sequence", spec(4, 2, 40).mask(bits))
            .sequence(9, 35)
            .sequence(3, 20)
            .bits(2, 1, 1, 35)
            .pages(Pages.of(16)));
    add(
        AttentionCase.of("bits-fewer-than-keys", spec(4, 2, 40).mask(bits))
            .sequence(9, 35)
            .bits(1, 1, 9, 20));
    add(
        AttentionCase.of("bits-more-than-keys", spec(4, 2, 40).mask(bits))
            .sequence(9, 35)
            .bits(1, 1, 9, 40));
    Mask custom =
        new Mask.Custom((sequence, head, query, key) -> (query * 7 + key * 3 + head) % 4 != 0);
    add(AttentionCase.of("mask-custom", spec(4, 2, 40).mask(custom)).sequence(9, 35));
    add(
        AttentionCase.of(
                "mask-custom-and-causal",
                spec(4, 2, 40).mask(new Mask.AllOf(List.of(CAUSAL, custom))))
            .sequence(9, 35));
  }

  private void modifiers() {
    ScoreModifier cap = new ScoreModifier.SoftCap(2);
    ScoreModifier bias = new ScoreModifier.AdditiveBias();
    ScoreModifier alibi = new ScoreModifier.Alibi(List.of(0.5f, 0.25f, 0.125f, 0.0625f));
    add(AttentionCase.of("soft-cap", spec(4, 2, 40).modifiers(cap)).sequence(9, 35).magnitude(8));
    add(
        AttentionCase.of("soft-cap-decode", spec(4, 2, 40).modifiers(cap))
            .sequence(1, 35)
            .magnitude(8));
    add(AttentionCase.of("alibi", spec(4, 2, 40).modifiers(alibi)).sequence(9, 35));
    add(AttentionCase.of("alibi-decode", spec(4, 2, 40).modifiers(alibi)).sequence(1, 35));
    add(
        AttentionCase.of("alibi-both-sides", spec(4, 2, 40).mask(ALL).modifiers(alibi))
            .sequence(9, 35, 10));
    add(AttentionCase.of("alibi-gaps", spec(4, 2, 40).modifiers(alibi)).sequence(9, 35, 50).gaps());
    int[][] shapes = {{1, 4, 9, 35}, {1, 1, 9, 35}, {1, 4, 1, 35}, {1, 4, 9, 1}, {1, 1, 1, 1}};
    for (int[] shape : shapes) {
      String name = "bias-" + shape[0] + "x" + shape[1] + "x" + shape[2] + "x" + shape[3];
      add(AttentionCase.of(name, spec(4, 2, 40).modifiers(bias)).sequence(9, 35).bias(shape));
    }
    add(
        AttentionCase.of("bias-per-sequence", spec(4, 2, 40).modifiers(bias))
            .sequence(9, 35)
            .sequence(2, 12)
            .pages(Pages.of(16))
            .bias(2, 1, 9, 35));
    add(
        AttentionCase.of("cap-alibi-bias", spec(4, 2, 40).modifiers(cap, alibi, bias))
            .sequence(9, 35)
            .magnitude(8)
            .bias(1, 4, 9, 35));
    add(
        AttentionCase.of("bias-then-cap", spec(4, 2, 40).modifiers(bias, cap))
            .sequence(9, 35)
            .bias(1, 4, 9, 35));
    ScoreModifier custom =
        new ScoreModifier.Custom(
            (x, sequence, head, query, key) -> x * 0.5 + (head + key % 3) * 0.25);
    add(AttentionCase.of("modifier-custom", spec(4, 2, 40).modifiers(custom, cap)).sequence(9, 35));
    add(
        AttentionCase.of("slot-bias", spec(4, 2, 40))
            .sequence(9, 35)
            .slotBias()
            .pages(Pages.of(16)));
    add(
        AttentionCase.of("slot-bias-decode", spec(4, 2, 40))
            .sequence(1, 35)
            .slotBias()
            .pages(Pages.of(16)));
    List<Float> sinks = List.of(0.5f, -1f, 3f, Float.NEGATIVE_INFINITY);
    add(AttentionCase.of("sinks", spec(4, 2, 40).sinks(sinks)).sequence(9, 35));
    add(AttentionCase.of("sinks-decode", spec(4, 2, 40).sinks(sinks)).sequence(1, 35));
    add(AttentionCase.of("sinks-empty-rows", spec(4, 2, 40).sinks(sinks)).sequence(9, 5));
    add(
        AttentionCase.of("sinks-huge", spec(4, 2, 40).sinks(List.of(1e4f, -1e4f, 100f, -100f)))
            .sequence(9, 35));
    add(
        AttentionCase.of(
                "sinks-window-cap",
                spec(4, 2, 40).sinks(sinks).mask(new Mask.Window(7, 0)).modifiers(cap))
            .sequence(9, 35)
            .pages(Pages.of(16)));
    add(AttentionCase.of("scale-zero", spec(4, 2, 40).scale(0)).sequence(9, 35));
    add(AttentionCase.of("scale-negative", spec(4, 2, 40).scale(-0.3f)).sequence(9, 35));
  }

  private void normalizers() {
    ScoreModifier alibi = new ScoreModifier.Alibi(List.of(0.5f, 0.25f, 0.125f, 0.0625f));
    Map<String, Normalizer> rules =
        new TreeMap<>(
            Map.of(
                "sigmoid", new Normalizer.Sigmoid((float) -Math.log(35)),
                "none", new Normalizer.None()));
    rules.forEach(
        (name, rule) -> {
          add(
              AttentionCase.of(name + "-decode", spec(4, 2, 64).normalizer(rule))
                  .sequence(1, 67)
                  .pages(Pages.of(16)));
          add(AttentionCase.of(name + "-causal", spec(4, 2, 40).normalizer(rule)).sequence(35, 35));
          add(
              AttentionCase.of(name + "-all", spec(6, 2, 40).normalizer(rule).mask(ALL))
                  .sequence(9, 35));
          add(
              AttentionCase.of(
                      name + "-window", spec(4, 2, 40).normalizer(rule).mask(new Mask.Window(5, 0)))
                  .sequence(9, 35)
                  .pages(Pages.of(7)));
          add(
              AttentionCase.of(name + "-alibi", spec(4, 2, 40).normalizer(rule).modifiers(alibi))
                  .sequence(9, 35));
          add(
              AttentionCase.of(name + "-slot-bias", spec(4, 2, 40).normalizer(rule))
                  .sequence(9, 35)
                  .slotBias());
          add(
              AttentionCase.of(
                      name + "-bias",
                      spec(4, 2, 40).normalizer(rule).modifiers(new ScoreModifier.AdditiveBias()))
                  .sequence(9, 35)
                  .bias(1, 4, 9, 35));
          add(
              AttentionCase.of(name + "-empty-rows", spec(4, 2, 40).normalizer(rule))
                  .sequence(9, 5));
          add(
              AttentionCase.of(
                      name + "-q8",
                      spec(4, 2, 64).normalizer(rule).formats(KvFormat.Q8, KvFormat.Q8))
                  .sequence(3, 35)
                  .pages(Pages.of(16)));
        });
  }

  private void batches() {
    add(
        AttentionCase.of("ragged-batch", spec(4, 2, 40))
            .sequence(1, 35)
            .sequence(7, 7)
            .sequence(0, 12)
            .sequence(3, 0)
            .sequence(2, 66)
            .pages(Pages.of(16)));
    add(AttentionCase.of("no-keys", spec(4, 2, 40)).sequence(3, 0));
    add(AttentionCase.of("no-rows", spec(4, 2, 40)).sequence(0, 5));
    AttentionCase.Builder decode =
        AttentionCase.of("decode-batch", spec(8, 2, 64)).pages(Pages.of(16));
    for (int keys : new int[] {1, 15, 16, 17, 65, 130}) {
      decode.sequence(1, keys);
    }
    add(decode);
    add(
        AttentionCase.of("ragged-heads", spec(6, 3, 40))
            .sequence(5, 35)
            .raggedHeads()
            .pages(Pages.of(7)));
    add(
        AttentionCase.of("ragged-heads-all", spec(6, 3, 40).mask(ALL))
            .sequence(1, 35)
            .sequence(2, 4)
            .raggedHeads()
            .slotBias()
            .gaps()
            .pages(new Pages(7, true, false)));
  }

  private void blocks() {
    for (HeadAxis axis : HeadAxis.values()) {
      String name = "blocks-" + axis.name().toLowerCase().replace('_', '-');
      add(
          AttentionCase.of(name + "-16x16", blocks(4, 2, 40))
              .sequence(35, 70)
              .blocks(16, 16, axis)
              .pages(Pages.of(16)));
      add(
          AttentionCase.of(name + "-7x5", blocks(4, 2, 40))
              .sequence(20, 33)
              .sequence(4, 18)
              .blocks(7, 5, axis)
              .pages(Pages.of(16)));
    }
    add(
        AttentionCase.of("blocks-decode", blocks(4, 2, 64))
            .sequence(1, 333)
            .blocks(1, 64, HeadAxis.KV_HEAD)
            .pages(Pages.of(64)));
    add(
        AttentionCase.of("blocks-ragged-heads", blocks(6, 3, 40))
            .sequence(9, 35)
            .raggedHeads()
            .blocks(4, 8, HeadAxis.ONE));
    add(
        AttentionCase.of("blocks-sigmoid", blocks(4, 2, 40).normalizer(new Normalizer.Sigmoid(-3)))
            .sequence(20, 40)
            .blocks(8, 8, HeadAxis.QUERY_HEAD));
    add(
        AttentionCase.of(
                "blocks-window-sinks",
                blocks(4, 2, 40).mask(new Mask.Window(20, 0)).sinks(List.of(0f, 1f, 2f, -1f)))
            .sequence(20, 40)
            .slotBias()
            .blocks(8, 8, HeadAxis.KV_HEAD));
  }

  private static AttentionSpec.Builder blocks(int queryHeads, int kvHeads, int headDim) {
    return spec(queryHeads, kvHeads, headDim).selection(SelectionKind.BLOCKS);
  }

  private void gathered() {
    add(
        AttentionCase.of("gathered", gathered(4, 2, 40))
            .sequence(12, 50)
            .gather(4, 20, false)
            .pages(Pages.of(16)));
    add(
        AttentionCase.of("gathered-bias", gathered(4, 2, 40))
            .sequence(12, 50)
            .gather(4, 20, true)
            .pages(Pages.of(16)));
    add(
        AttentionCase.of("gathered-decode-batch", gathered(4, 2, 64).mask(ALL))
            .sequence(1, 50)
            .sequence(1, 300)
            .sequence(1, 0)
            .gather(1, 70, true)
            .pages(Pages.of(16)));
    add(
        AttentionCase.of("gathered-q8", gathered(4, 2, 64).formats(KvFormat.Q8, KvFormat.Q8))
            .sequence(9, 50)
            .gather(3, 20, false)
            .pages(Pages.of(16)));
    add(
        AttentionCase.of("gathered-q4", gathered(4, 2, 72).formats(KvFormat.Q4, KvFormat.Q4))
            .sequence(9, 50)
            .gather(3, 20, false)
            .pages(Pages.of(16)));
    add(
        AttentionCase.of("gathered-q4-decode", gathered(4, 2, 72).formats(KvFormat.Q4, KvFormat.Q4))
            .sequence(1, 300)
            .gather(1, 70, true)
            .pages(Pages.of(16)));
    add(
        AttentionCase.of(
                "gathered-sigmoid", gathered(4, 2, 40).normalizer(new Normalizer.Sigmoid(-3)))
            .sequence(9, 50)
            .gather(3, 20, true));
    add(
        AttentionCase.of("gathered-sinks", gathered(4, 2, 40).sinks(List.of(0f, 1f, 2f, -1f)))
            .sequence(9, 50)
            .slotBias()
            .gather(3, 20, true));
  }

  private static AttentionSpec.Builder gathered(int queryHeads, int kvHeads, int headDim) {
    return spec(queryHeads, kvHeads, headDim).selection(SelectionKind.GATHERED);
  }

  private void extremes() {
    for (float magnitude : new float[] {0, 1e-20f, 100, 1e4f, 1e8f}) {
      add(
          AttentionCase.of("magnitude-" + magnitude + "-decode", spec(4, 2, 40))
              .sequence(1, 67)
              .magnitude(magnitude)
              .pages(Pages.of(16)));
      add(
          AttentionCase.of("magnitude-" + magnitude + "-prefill", spec(4, 2, 40))
              .sequence(9, 67)
              .magnitude(magnitude)
              .pages(Pages.of(16)));
    }
    add(
        AttentionCase.of(
                "magnitude-1e4-sigmoid", spec(4, 2, 40).normalizer(new Normalizer.Sigmoid(0)))
            .sequence(9, 67)
            .magnitude(1e4f));
    Map<String, KvFormat> formats =
        new TreeMap<>(
            Map.of(
                "bf16",
                KvFormat.BF16,
                "f16",
                KvFormat.F16,
                "f32",
                KvFormat.F32,
                "q8",
                KvFormat.Q8,
                "q4",
                KvFormat.Q4));
    formats.forEach(
        (name, format) -> {
          // Rows of a tile see different keys; what one row must not see, another may.
          add(
              AttentionCase.of(
                      "hidden-infinities-" + name + "-prefill",
                      spec(2, 1, 72).formats(format, format).mask(new Mask.Window(4, 0)))
                  .sequence(70, 70)
                  .nonFinite());
          add(
              AttentionCase.of(
                      "hidden-infinities-" + name + "-decode",
                      spec(4, 2, 72).formats(format, format).mask(new Mask.Window(4, 0)))
                  .sequence(2, 71)
                  .nonFinite());
        });
    add(
        AttentionCase.of(
                "visible-infinities-f16", spec(4, 2, 64).formats(KvFormat.F16, KvFormat.F16))
            .sequence(2, 35)
            .nonFinite());
    add(
        AttentionCase.of("positions-beyond-32-bits", spec(2, 1, 40).mask(new Mask.Window(3, 0)))
            .sequence(3, 9, 1L << 33));
  }
}
