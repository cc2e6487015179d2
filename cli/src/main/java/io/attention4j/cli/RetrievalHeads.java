package io.attention4j.cli;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.kvcache.KvCaches;
import io.attention4j.kvcache.policy.HeadTable;
import io.attention4j.kvcache.policy.RetrievalProbe;
import io.attention4j.llm.LanguageModel;
import io.attention4j.llm.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.SplittableRandom;

/**
 * Scores a model's heads by a random text that is repeated: load the model with {@link #caches},
 * then {@link #read}.
 */
public final class RetrievalHeads {
  private static final int DEFAULT_PERIOD = 2500;
  private static final int REPEATS = 4;
  private static final long SEED = 2500;

  private RetrievalProbe probe;

  /** Scores of a model that is yet to be loaded. */
  public RetrievalHeads() {}

  /** Caches that watch the model's attention. */
  public KvCache.Factory caches(KvCacheContext context) {
    probe = new RetrievalProbe(context.layers());
    return new KvCaches().create("f32", probe, context);
  }

  /**
   * Puts the text through the model; returns its tokens.
   *
   * @param period tokens before the text repeats, four times in all; 0 = 2500, or a quarter of the
   *     context where that is less
   * @throws IllegalArgumentException if the context is too small
   */
  public int read(LanguageModel loaded, int period) {
    int[] text = text(loaded, period);
    try (Session session = loaded.newSession()) {
      session.append(text);
    }
    return text.length;
  }

  private int[] text(LanguageModel loaded, int period) {
    OptionalInt bos = loaded.tokenizer().specialTokens().bos();
    int start = loaded.tokenizer().addsBos() && bos.isPresent() ? 1 : 0;
    int longest = (loaded.info().contextTokens() - start) / REPEATS;
    int length = period == 0 ? Math.min(DEFAULT_PERIOD, longest) : period;
    if (length < 2 || length > longest) {
      throw new IllegalArgumentException(
          "--period "
              + length
              + " repeated "
              + REPEATS
              + " times must be 2 to "
              + longest
              + " tokens in a context of "
              + loaded.info().contextTokens()
              + "; change it or --context");
    }
    probe.text(length, start);
    SplittableRandom random = new SplittableRandom(SEED);
    int vocabulary = loaded.info().config().sizes().vocabulary();
    int[] text = new int[start + REPEATS * length];
    if (start > 0) {
      text[0] = bos.getAsInt();
    }
    for (int i = 0; i < length; i++) {
      int token = random.nextInt(vocabulary);
      for (int copy = 0; copy < REPEATS; copy++) {
        text[start + copy * length + i] = token;
      }
    }
    return text;
  }

  /** Induction and echo scores. */
  public List<HeadTable> tables() {
    return probe.tables();
  }

  /** The lines of a file that the policy razor reads. */
  public List<String> lines(LanguageModel loaded) {
    List<String> lines = new ArrayList<>();
    lines.add("# retrieval heads of " + loaded.info().name() + ", attention4j razor-heads");
    lines.add("# a line per layer, a number per KV head: mean attention of its best query head");
    tables().forEach(table -> lines.addAll(table.lines()));
    return lines;
  }
}
