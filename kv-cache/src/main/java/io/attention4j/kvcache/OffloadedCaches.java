package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.TokenRanker;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.kvcache.policy.Policies;
import java.io.IOException;
import java.util.Optional;

/** Caches of the tier {@code offload}. */
final class OffloadedCaches implements KvCache.Factory {
  private static final int DEFAULT_SLOTS = 64;
  private static final double MIB = 1 << 20;

  private final KernelSelector kernels;
  private final KvFormat format;
  private final int pageTokens;
  private final String attention;
  private final TokenRanker ranker;
  private final Offload offload;

  private OffloadedCaches(
      KernelSelector kernels,
      KvFormat format,
      int pageTokens,
      String attention,
      TokenRanker ranker,
      Offload offload) {
    this.kernels = kernels;
    this.format = format;
    this.pageTokens = pageTokens;
    this.attention = attention;
    this.ranker = ranker;
    this.offload = offload;
  }

  /**
   * Caches by option.
   *
   * @param operator the attention operator that reads them, or null for any
   * @param ranker what shortens prompts, or null
   */
  static OffloadedCaches of(
      KernelSelector kernels,
      KvFormat format,
      int pageTokens,
      OptionSpec tier,
      OptionSpec operator,
      TokenRanker ranker) {
    tier.allow(TierFolder.SETTING, "slots", "direct", "fetch", "rate");
    TierFolder folder = TierFolder.of(tier);
    boolean nosa = operator != null && operator.name().equals(Policies.NOSA);
    int read = nosa ? operator.integer("k", DEFAULT_SLOTS, 1, Integer.MAX_VALUE) : DEFAULT_SLOTS;
    boolean refetch = "all".equals(oneOf(tier, "fetch", "difference", "all"));
    Offload.Options options =
        new Offload.Options(tier.integer("slots", read, 1, Integer.MAX_VALUE), refetch);
    BlockFile.Settings files =
        new BlockFile.Settings(
            folder,
            isDirect(folder, oneOf(tier, "direct", "auto", "yes", "no")),
            MIB * tier.number("rate", 0, 0, 1e9));
    return new OffloadedCaches(
        kernels,
        format,
        pageTokens,
        operator == null ? null : operator.toString(),
        ranker,
        new Offload(files, options, kernels.device()));
  }

  private static String oneOf(OptionSpec tier, String key, String... words) {
    String given = tier.text(key, words[0]);
    for (String word : words) {
      if (word.equals(given)) {
        return word;
      }
    }
    throw new IllegalArgumentException(
        "'"
            + tier.name()
            + "' setting "
            + key
            + "="
            + given
            + " is unknown; known are "
            + String.join(", ", words));
  }

  /** Tries whether the folder's disk can be read past the system's cache. */
  private static boolean isDirect(TierFolder folder, String setting) {
    if (setting.equals("no")) {
      return false;
    }
    try {
      new BlockFile.Settings(folder, true, 0).open().close();
      return true;
    } catch (IOException | UnsupportedOperationException e) {
      if (setting.equals("auto")) {
        return false;
      }
      throw new IllegalArgumentException(
          "the disk of "
              + folder.path()
              + " cannot be read past the system's cache ("
              + e.getMessage()
              + "); use direct=auto or another folder",
          e);
    }
  }

  @Override
  public KvFormat keyFormat() {
    return format;
  }

  @Override
  public KvFormat valueFormat() {
    return format;
  }

  @Override
  public Optional<String> attention() {
    return Optional.ofNullable(attention);
  }

  @Override
  public Optional<TokenRanker> ranker() {
    return Optional.ofNullable(ranker);
  }

  private PageLayout layout(LayerShape shape) {
    return new PageLayout(pageTokens, format, shape.headDim(), format, shape.valueDim());
  }

  @Override
  public OffloadedKvCache create(LayerShape shape) {
    PageLayout layout = layout(shape);
    return new OffloadedKvCache(
        new OffloadedKvCache.Room(
            kernels.device(),
            kernels.select(KvWriteKernel.class, format),
            offload,
            layout,
            offload.frames(layout),
            offload.passingFrames(layout),
            shape));
  }

  @Override
  public long bytes(LayerShape shape, long tokens) {
    return pages(tokens) * shape.kvHeads() * layout(shape).bytes();
  }

  /** The slots and the page under way; a prompt holds one layer more for a while. */
  @Override
  public long memoryBytes(LayerShape shape, long tokens) {
    long held = Math.min(pages(tokens), offload.options().slots() + 1L);
    return held * shape.kvHeads() * layout(shape).bytes();
  }

  private long pages(long tokens) {
    return Math.ceilDiv(tokens, pageTokens);
  }

  @Override
  public KvUsage usage() {
    return offload.usage();
  }
}
