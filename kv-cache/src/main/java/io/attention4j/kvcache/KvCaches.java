package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheProvider;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The caches of this module by option: a layout, {@code contiguous} or {@code paged[:page=TOKENS]},
 * and a codec, {@code f32}, {@code f16}, {@code bf16} or {@code q8}, joined by "+" in any order,
 * each optional. The default is {@code paged:page=64+f16}.
 */
public final class KvCaches implements KvCacheProvider {
  /** Tokens of a page where the option does not say. */
  public static final int DEFAULT_PAGE_TOKENS = 64;

  private static final String CONTIGUOUS = "contiguous";
  private static final String PAGED = "paged";
  private static final Map<String, KvFormat> CODECS =
      Map.of("f32", KvFormat.F32, "f16", KvFormat.F16, "bf16", KvFormat.BF16, "q8", KvFormat.Q8);

  /** For ServiceLoader. */
  public KvCaches() {}

  @Override
  public Set<String> names() {
    Set<String> names = new TreeSet<>(CODECS.keySet());
    names.add(CONTIGUOUS);
    names.add(PAGED);
    return names;
  }

  @Override
  public KvCache.Factory create(String option, KernelSelector kernels) {
    KvFormat codec = null;
    OptionSpec layout = null;
    for (String part : option.split("\\+", -1)) {
      OptionSpec spec = OptionSpec.parse(part);
      if (CODECS.containsKey(spec.name())) {
        if (codec != null) {
          throw new IllegalArgumentException("KV cache '" + option + "' names two codecs");
        }
        codec = CODECS.get(spec.allow().name());
      } else if (spec.name().equals(CONTIGUOUS) || spec.name().equals(PAGED)) {
        if (layout != null) {
          throw new IllegalArgumentException("KV cache '" + option + "' names two layouts");
        }
        layout = spec;
      } else {
        throw new IllegalArgumentException(
            "unknown KV cache '" + spec.name() + "'; known are " + names() + ", joined by +");
      }
    }
    KvFormat format = codec == null ? KvFormat.F16 : codec;
    if (layout != null && layout.name().equals(CONTIGUOUS)) {
      layout.allow();
      return new Contiguous(kernels, format);
    }
    int page =
        layout == null
            ? DEFAULT_PAGE_TOKENS
            : layout.allow("page").integer("page", DEFAULT_PAGE_TOKENS, 1, 1 << 20);
    return new Paged(kernels, format, page);
  }

  private record Contiguous(KernelSelector kernels, KvFormat format) implements KvCache.Factory {
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
          kernels.device(), writer, layout, shape.kvHeads(), shape.maxPositions());
    }

    @Override
    public long bytes(LayerShape shape, long tokens) {
      PageLayout layout =
          new PageLayout(
              Math.toIntExact(tokens), format, shape.headDim(), format, shape.valueDim());
      return shape.kvHeads() * layout.bytes();
    }
  }

  private static final class Paged implements KvCache.Factory {
    private final KernelSelector kernels;
    private final KvFormat format;
    private final int pageTokens;
    private final Map<Long, PagePool> pools = new ConcurrentHashMap<>();

    Paged(KernelSelector kernels, KvFormat format, int pageTokens) {
      this.kernels = kernels;
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
    public KvCache create(LayerShape shape) {
      KvWriteKernel writer = kernels.select(KvWriteKernel.class, format);
      Device device = kernels.device();
      PageLayout layout = layout(shape);
      PagePool pool = pools.computeIfAbsent(layout.bytes(), bytes -> new PagePool(device, bytes));
      return new PagedKvCache(device, writer, pool, layout, shape.kvHeads(), shape.maxPositions());
    }

    private PageLayout layout(LayerShape shape) {
      return new PageLayout(pageTokens, format, shape.headDim(), format, shape.valueDim());
    }

    @Override
    public long bytes(LayerShape shape, long tokens) {
      long pages = (tokens + pageTokens - 1) / pageTokens;
      return pages * shape.kvHeads() * layout(shape).bytes();
    }
  }
}
