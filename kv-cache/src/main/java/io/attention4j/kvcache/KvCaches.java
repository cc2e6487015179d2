package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.KvCacheProvider;
import io.attention4j.engine.operator.KvUsage;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.operator.TokenRanker;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.kvcache.policy.KvPolicy;
import io.attention4j.kvcache.policy.Policies;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The caches of this module by option: {@code policy+codec+tier}, and a layout, each optional and
 * in any order; {@code docs/kv-cache.md} has the grammar. The default is {@code
 * full+f16+memory+paged:page=64}.
 */
public final class KvCaches implements KvCacheProvider {
  /** Tokens of a page where the option does not say. */
  public static final int DEFAULT_PAGE_TOKENS = 64;

  private static final int MAX_PAGE_TOKENS = 1 << 20;
  private static final String CONTIGUOUS = "contiguous";
  private static final String PAGED = "paged";

  /** For ServiceLoader. */
  public KvCaches() {}

  @Override
  public Set<String> names() {
    return CacheOption.names();
  }

  @Override
  public KvCache.Factory create(String text, KvCacheContext context) {
    return create(CacheOption.parse(text), null, context);
  }

  /**
   * Caches with a policy of the caller's own.
   *
   * @param text codec, tier and layout as in {@link #create(String, KvCacheContext)}
   * @throws IllegalArgumentException if the option names a policy too
   */
  public KvCache.Factory create(String text, KvPolicy policy, KvCacheContext context) {
    CacheOption option = CacheOption.parse(text);
    if (option.parts().containsKey(CacheOption.Kind.POLICY)) {
      throw new IllegalArgumentException(
          "KV cache '" + text + "' names a policy beside '" + policy.id() + "'; leave it out");
    }
    return create(option, policy, context);
  }

  private static KvCache.Factory create(CacheOption option, KvPolicy own, KvCacheContext context) {
    OptionSpec codec = option.part(CacheOption.Kind.CODEC, "f16");
    if (BitSchedule.NAMES.contains(codec.name())) {
      return staircase(option, codec, own, context);
    }
    KvFormat format = CacheOption.CODECS.get(codec.allow().name());
    OptionSpec policy = option.part(CacheOption.Kind.POLICY, Policies.FULL);
    boolean nosa = policy.name().equals(Policies.NOSA);
    OptionSpec tier =
        option.part(CacheOption.Kind.TIER, nosa ? CacheOption.OFFLOAD : CacheOption.MEMORY);
    OptionSpec layout = option.part(CacheOption.Kind.LAYOUT, PAGED);
    boolean full = own == null && policy.name().equals(Policies.FULL);
    boolean operator = own == null && Policies.OPERATORS.contains(policy.name());
    TokenRanker ranker = own == null ? ranker(policy) : null;
    if (layout.name().equals(CONTIGUOUS)) {
      layout.allow();
      if (!full) {
        throw new IllegalArgumentException(
            "KV policy '"
                + (own == null ? policy.name() : own.id())
                + "' works on pages, which a contiguous cache has not; use paged");
      }
      if (!tier.name().equals(CacheOption.MEMORY)) {
        throw new IllegalArgumentException(
            "KV tier '" + tier.name() + "' works on pages; use paged instead of contiguous");
      }
      tier.allow();
      return new Contiguous(context.kernels(), format, new AtomicLong());
    }
    int page =
        layout
            .allow("page")
            .integer(
                "page",
                nosa
                    ? policy.integer("block", DEFAULT_PAGE_TOKENS, 1, MAX_PAGE_TOKENS)
                    : DEFAULT_PAGE_TOKENS,
                1,
                MAX_PAGE_TOKENS);
    if (tier.name().equals(CacheOption.OFFLOAD)) {
      if (!full && !operator && ranker == null) {
        throw new IllegalArgumentException(
            "KV tier 'offload' fetches what operators choose among all tokens, but policy '"
                + (own == null ? policy.name() : own.id())
                + "' drops tokens and reads all that it keeps; use the tier file with it");
      }
      return OffloadedCaches.of(
          context.kernels(), format, page, tier, operator ? policy : null, ranker);
    }
    SlabMemory memory = memory(tier, context);
    if (full) {
      policy.allow();
      return new Paged(context.kernels(), memory, format, page, null, null);
    }
    if (operator) {
      return new Paged(context.kernels(), memory, format, page, policy.toString(), null);
    }
    if (ranker != null) {
      return new Paged(context.kernels(), memory, format, page, null, ranker);
    }
    return new Ragged(
        context.kernels(),
        memory,
        format,
        page,
        own == null ? Policies.create(policy, context) : own);
  }

  private static KvCache.Factory staircase(
      CacheOption option, OptionSpec codec, KvPolicy own, KvCacheContext context) {
    OptionSpec policy = option.part(CacheOption.Kind.POLICY, Policies.FULL);
    OptionSpec layout = option.part(CacheOption.Kind.LAYOUT, PAGED);
    TokenRanker ranker = own == null ? ranker(policy) : null;
    if (ranker == null && (own != null || !policy.name().equals(Policies.FULL))) {
      throw new IllegalArgumentException(
          "KV codec '"
              + codec.name()
              + "' quantises whole pages of neighbouring tokens, but policy '"
              + (own == null ? policy.name() : own.id())
              + "' changes single entries or reads keys as they were written; use 'full' or"
              + " 'specpc', or codec q4 or q8");
    }
    if (ranker == null) {
      policy.allow();
    }
    if (!layout.name().equals(PAGED)) {
      throw new IllegalArgumentException(
          "KV codec '" + codec.name() + "' quantises pages, which a contiguous cache has not");
    }
    int page = layout.allow("page").integer("page", DEFAULT_PAGE_TOKENS, 1, 1 << 20);
    SlabMemory memory = memory(option.part(CacheOption.Kind.TIER, CacheOption.MEMORY), context);
    return new StaircaseCaches(context, memory, BitSchedule.parse(codec), page, ranker);
  }

  /** What shortens prompts where a policy is that and leaves the cache alone, or null. */
  private static TokenRanker ranker(OptionSpec policy) {
    return Policies.RANKERS.contains(policy.name()) ? Policies.ranker(policy) : null;
  }

  private static SlabMemory memory(OptionSpec tier, KvCacheContext context) {
    if (tier.name().equals(CacheOption.FILE)) {
      tier.allow(TierFolder.SETTING);
      TierFolder.requireHost(context.kernels());
      return new MappedSlabs(TierFolder.of(tier));
    }
    if (tier.name().equals(CacheOption.OFFLOAD)) {
      throw new IllegalArgumentException(
          "KV tier 'offload' fetches what operators choose among pages as they were written, but"
              + " codecs "
              + BitSchedule.NAMES
              + " quantise them anew and read all; use the tier file with them");
    }
    tier.allow();
    return new SlabMemory.OnDevice(context.kernels().device());
  }

  private record Contiguous(KernelSelector kernels, KvFormat format, AtomicLong live)
      implements KvCache.Factory {
    @Override
    public KvFormat keyFormat() {
      return format;
    }

    @Override
    public KvFormat valueFormat() {
      return format;
    }

    @Override
    public KvCache create(LayerShape shape) {
      KvWriteKernel writer = kernels.select(KvWriteKernel.class, format);
      PageLayout layout = new PageLayout(1, format, shape.headDim(), format, shape.valueDim());
      return new ContiguousKvCache(
          kernels.device(), writer, layout, shape.kvHeads(), shape.maxPositions(), live);
    }

    @Override
    public KvUsage usage() {
      return KvUsage.inMemory(live.get());
    }

    @Override
    public long bytes(LayerShape shape, long tokens) {
      PageLayout layout =
          new PageLayout(
              Math.toIntExact(tokens), format, shape.headDim(), format, shape.valueDim());
      return shape.kvHeads() * layout.bytes();
    }
  }

  /** Pages of one layout, pooled by size over all layers and sessions. */
  private abstract static class Pages implements KvCache.Factory {
    final KernelSelector kernels;
    final KvFormat format;
    final int pageTokens;
    private final PagePools pools;

    Pages(KernelSelector kernels, SlabMemory memory, KvFormat format, int pageTokens) {
      this.kernels = kernels;
      this.pools = new PagePools(memory);
      this.format = format;
      this.pageTokens = pageTokens;
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
    public KvUsage usage() {
      return pools.usage();
    }

    @Override
    public long memoryBytes(LayerShape shape, long tokens) {
      return pools.memoryBytes(bytes(shape, tokens));
    }

    PageLayout layout(LayerShape shape) {
      return new PageLayout(pageTokens, format, shape.headDim(), format, shape.valueDim());
    }

    PagePool pool(PageLayout layout) {
      return pools.of(layout);
    }

    KvWriteKernel writer() {
      return kernels.select(KvWriteKernel.class, format);
    }
  }

  private static final class Paged extends Pages {
    private final String attention;
    private final TokenRanker ranker;

    /** With the operator that reads them, or null for any, and what shortens prompts, or null. */
    Paged(
        KernelSelector kernels,
        SlabMemory memory,
        KvFormat format,
        int pageTokens,
        String attention,
        TokenRanker ranker) {
      super(kernels, memory, format, pageTokens);
      this.attention = attention;
      this.ranker = ranker;
    }

    @Override
    public Optional<TokenRanker> ranker() {
      return Optional.ofNullable(ranker);
    }

    @Override
    public Optional<String> attention() {
      return Optional.ofNullable(attention);
    }

    @Override
    public KvCache create(LayerShape shape) {
      PageLayout layout = layout(shape);
      return new PagedKvCache(
          kernels.device(), writer(), pool(layout), layout, shape.kvHeads(), shape.maxPositions());
    }

    @Override
    public long bytes(LayerShape shape, long tokens) {
      long pages = (tokens + pageTokens - 1) / pageTokens;
      return pages * shape.kvHeads() * layout(shape).bytes();
    }
  }

  private static final class Ragged extends Pages {
    private final KvPolicy policy;

    Ragged(
        KernelSelector kernels,
        SlabMemory memory,
        KvFormat format,
        int pageTokens,
        KvPolicy policy) {
      super(kernels, memory, format, pageTokens);
      this.policy = policy;
    }

    @Override
    public KvCache.Observes observes() {
      return policy.observes();
    }

    @Override
    public int lookahead(int promptTokens) {
      return policy.lookahead(promptTokens);
    }

    @Override
    public Optional<TokenRanker> ranker() {
      return policy.ranker();
    }

    @Override
    public KvCache create(LayerShape shape) {
      PageLayout layout = layout(shape);
      return new RaggedKvCache(
          new RaggedKvCache.Room(
              kernels.device(),
              writer(),
              pool(layout),
              layout,
              pool(layout.withCapacity(1)),
              shape,
              policy));
    }

    /** What the policy promises after a prompt, partly filled pages not counted. */
    @Override
    public long bytes(LayerShape shape, long tokens) {
      long slots = policy.entries(shape, tokens);
      PageLayout layout = layout(shape);
      return Math.ceilDiv(slots * layout.bytes(), pageTokens);
    }
  }
}
