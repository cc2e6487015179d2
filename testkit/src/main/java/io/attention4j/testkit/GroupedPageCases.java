package io.attention4j.testkit;

import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.Mask;
import io.attention4j.testkit.AttentionData.Pages;
import java.util.ArrayList;
import java.util.List;

/** Cases of {@link AttentionCases} whose pages hold grouped codes, of one format or a staircase. */
final class GroupedPageCases {
  private static final KvFormat STAIRS_OF_KEYS =
      new KvFormat.Staircase(
          (KvFormat.Plain) KvFormat.F16,
          List.of(channels(8, 32), channels(4, 32), channels(2, 32)));
  private static final KvFormat STAIRS_OF_VALUES =
      new KvFormat.Staircase(
          (KvFormat.Plain) KvFormat.F16, List.of(tokens(8, 32), tokens(4, 32), tokens(2, 32)));

  private final List<AttentionCase.Builder> cases = new ArrayList<>();

  private GroupedPageCases() {}

  static List<AttentionCase.Builder> all() {
    GroupedPageCases table = new GroupedPageCases();
    table.build();
    return table.cases;
  }

  private void add(AttentionCase.Builder builder) {
    cases.add(builder);
  }

  private static AttentionSpec.Builder spec(int queryHeads, int kvHeads, int headDim) {
    return AttentionSpec.builder(queryHeads, kvHeads, headDim);
  }

  private void build() {
    for (int bits : new int[] {2, 4, 8}) {
      for (int dim : new int[] {13, 64, 80, 128}) {
        AttentionSpec.Builder spec =
            spec(4, 2, dim).formats(channels(bits, 32), tokens(bits, dim == 80 ? 64 : 32));
        String prefix = "grouped" + bits + "-dim" + dim;
        add(AttentionCase.of(prefix + "-decode", spec).sequence(1, 227).pages(Pages.of(64)));
        add(AttentionCase.of(prefix + "-prefill", spec).sequence(9, 227).pages(Pages.of(64)));
      }
    }
    add(
        AttentionCase.of(
                "grouped-large-pages", spec(8, 2, 64).formats(channels(2, 128), tokens(4, 64)))
            .sequence(1, 700)
            .pages(Pages.of(256)));
    add(
        AttentionCase.of(
                "grouped-partial-pages", spec(6, 2, 45).formats(channels(4, 32), tokens(2, 128)))
            .sequence(5, 135)
            .slotBias()
            .pages(new Pages(48, true, false)));
    add(
        AttentionCase.of(
                "grouped-one-page",
                spec(3, 1, 72).valueDim(40).formats(channels(8, 64), tokens(2, 32)))
            .sequence(2, 150)
            .raggedHeads());
    for (int rows : new int[] {1, 9, 40}) {
      add(
          AttentionCase.of(
                  "grouped-other-axes-" + rows,
                  spec(4, 2, 64).formats(tokens(4, 32), channels(4, 32)))
              .sequence(rows, 135)
              .pages(Pages.of(64)));
      add(
          AttentionCase.of(
                  "staircase-" + rows, spec(4, 2, 64).formats(STAIRS_OF_KEYS, STAIRS_OF_VALUES))
              .sequence(rows, 700)
              .sequence(rows, 43)
              .pages(Pages.of(64)));
      add(
          AttentionCase.of(
                  "staircase-window-" + rows,
                  spec(8, 2, 80)
                      .formats(STAIRS_OF_KEYS, STAIRS_OF_VALUES)
                      .mask(new Mask.Window(170, 0)))
              .sequence(rows, 400)
              .pages(Pages.of(64)));
    }
    add(
        AttentionCase.of(
                "staircase-infinities",
                spec(4, 2, 64)
                    .formats(STAIRS_OF_KEYS, STAIRS_OF_VALUES)
                    .mask(new Mask.Window(4, 0)))
            .sequence(2, 400)
            .nonFinite()
            .pages(Pages.of(64)));
    add(
        AttentionCase.of(
                "gathered-staircase",
                spec(4, 2, 64)
                    .selection(AttentionSpec.SelectionKind.GATHERED)
                    .formats(STAIRS_OF_KEYS, STAIRS_OF_VALUES))
            .sequence(1, 400)
            .gather(1, 70, true)
            .pages(Pages.of(64)));
  }

  private static KvFormat.Grouped channels(int bits, int group) {
    return new KvFormat.Grouped(bits, KvFormat.Grouped.Axis.CHANNEL, group);
  }

  private static KvFormat.Grouped tokens(int bits, int group) {
    return new KvFormat.Grouped(bits, KvFormat.Grouped.Axis.TOKEN, group);
  }
}
