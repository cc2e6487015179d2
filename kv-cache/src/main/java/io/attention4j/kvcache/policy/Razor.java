package io.attention4j.kvcache.policy;

import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.KvCacheContext;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.OptionSpec;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * Retrieval heads keep everything; every other head keeps the first tokens, the newest max(S0, N /
 * C) and one summary of what it dropped: the mean key and the mean value with log N_d added to its
 * score (RazorAttention, Tang et al. 2024, arXiv 2407.15891, Algorithm 1). The summary's position
 * is the mean of the dropped positions [R].
 *
 * @param retrieval [layer][kvHead], whether the head keeps everything
 * @param reach [layer][kvHead] tokens beyond which the head's attention is negligible (ALiBi
 *     models, {@link #alibiReach}); null for none. A head keeps at least as many
 * @param sinks first tokens
 * @param buffer S0, least newest tokens
 * @param compression C
 * @param summarised whether what is dropped leaves a summary
 * @param weighted whether the summary counts log N_d; without it, it weighs as one token
 */
public record Razor(
    boolean[][] retrieval,
    HeadTable reach,
    int sinks,
    int buffer,
    double compression,
    boolean summarised,
    boolean weighted)
    implements KvPolicy {
  /** Name in options. */
  public static final String ID = "razor";

  /** Name of the table of induction scores. */
  public static final String INDUCTION = "induction";

  /** Name of the table of echo scores. */
  public static final String ECHO = "echo";

  /** Name of the optional table of reaches in tokens. */
  public static final String REACH = "reach";

  private static final double INDUCTION_SHARE = 0.14;
  private static final double ECHO_SHARE = 0.01;
  private static final int SINKS = 4;
  private static final int BUFFER = 4000;
  private static final double COMPRESSION = 5;
  private static final String FILE_NAME = "razor-heads.tsv";

  /**
   * {@code razor[:file=PATH;induction=0.14;echo=0.01;sinks=4;buffer=4000;compression=5;
   * summary=mean|unweighted|none]}.
   */
  public static Razor of(OptionSpec option, KvCacheContext context) {
    option.allow("file", "induction", "echo", "sinks", "buffer", "compression", "summary");
    double induction = option.number("induction", INDUCTION_SHARE, 0, 1);
    double echo = option.number("echo", ECHO_SHARE, 0, 1);
    String summary = option.text("summary", "mean");
    if (!List.of("mean", "unweighted", "none").contains(summary)) {
      throw new IllegalArgumentException(
          "'razor' setting summary=" + summary + " is not mean, unweighted or none");
    }
    boolean[][] retrieval = null;
    HeadTable reach = null;
    if (induction < 1 && echo < 1) {
      Path file = file(option, context);
      List<HeadTable> tables = HeadTable.read(file);
      reach = table(tables, REACH);
      retrieval =
          union(
              required(tables, INDUCTION, file).highest(induction),
              required(tables, ECHO, file).highest(echo),
              file);
    }
    return new Razor(
        retrieval,
        reach,
        option.integer("sinks", SINKS, 0, 1 << 20),
        option.integer("buffer", BUFFER, 1, Integer.MAX_VALUE),
        option.number("compression", COMPRESSION, 1, 1e9),
        !summary.equals("none"),
        summary.equals("mean"));
  }

  private static Path file(OptionSpec option, KvCacheContext context) {
    String given = option.text("file", null);
    if (given != null) {
      return Path.of(given);
    }
    if (context.model() == null) {
      throw new IllegalArgumentException(
          "KV policy 'razor' needs a list of heads; give razor:file=PATH");
    }
    return headFile(context.model());
  }

  /** Where the heads of a model are kept: in its folder, or beside its file. */
  public static Path headFile(Path model) {
    return Files.isDirectory(model)
        ? model.resolve(FILE_NAME)
        : model.resolveSibling(model.getFileName() + "." + FILE_NAME);
  }

  private static HeadTable table(List<HeadTable> tables, String name) {
    return tables.stream().filter(t -> t.name().equals(name)).findFirst().orElse(null);
  }

  private static HeadTable required(List<HeadTable> tables, String name, Path file) {
    HeadTable table = table(tables, name);
    if (table == null) {
      throw new IllegalArgumentException(
          file + " has no table [" + name + "]; make it with 'attention4j razor-heads'");
    }
    return table;
  }

  private static boolean[][] union(boolean[][] a, boolean[][] b, Path file) {
    if (a.length != b.length || a[0].length != b[0].length) {
      throw new IllegalArgumentException(file + " has tables of different sizes");
    }
    for (int layer = 0; layer < a.length; layer++) {
      for (int head = 0; head < a[layer].length; head++) {
        a[layer][head] |= b[layer][head];
      }
    }
    return a;
  }

  /**
   * Distance beyond which an ALiBi head's attention is below eps (Theorem of the paper, constants
   * from memory): (2 |Wq Wk'| (|gamma|^2 + |beta|^2) - ln eps) / slope.
   *
   * @param norm largest singular value of Wq_h Wk_h'
   * @param gain squared Euclidean norm of the layer norm's gain
   * @param bias squared Euclidean norm of its bias
   * @param eps attention that counts as none, in (0, 1)
   */
  public static double alibiReach(double slope, double norm, double gain, double bias, double eps) {
    return (2 * norm * (gain + bias) - Math.log(eps)) / slope;
  }

  @Override
  public String id() {
    return ID;
  }

  @Override
  public KvCache.Observes observes() {
    return KvCache.Observes.NOTHING;
  }

  @Override
  public int interval() {
    return 1;
  }

  private boolean keepsAll(int layer, int head) {
    return retrieval == null || retrieval[layer][head];
  }

  /** Newest tokens that a head keeps of so many. */
  private long recent(int layer, int head, long tokens) {
    long reached = reach == null ? 0 : (long) Math.ceil(reach.values()[layer][head]);
    return Math.max(Math.max(buffer, reached), (long) (tokens / compression));
  }

  @Override
  public long entries(LayerShape shape, long tokens) {
    requireHeads(shape);
    long sum = 0;
    for (int head = 0; head < shape.kvHeads(); head++) {
      long kept = sinks + recent(shape.layer(), head, tokens);
      boolean drops = !keepsAll(shape.layer(), head) && kept < tokens;
      sum += drops ? kept + (summarised ? 1 : 0) : tokens;
    }
    return sum;
  }

  private void requireHeads(LayerShape shape) {
    if (reach != null) {
      reach.requireLayer(shape, ID);
    }
    if (retrieval != null) {
      requireHeads(retrieval, shape, ID);
    }
  }

  /** Requires marks of the layer's model. */
  static void requireHeads(boolean[][] marks, LayerShape shape, String policy) {
    if (shape.layer() >= marks.length || shape.kvHeads() != marks[0].length) {
      throw HeadTable.foreign(marks.length, marks[0].length, shape, policy);
    }
  }

  @Override
  public PolicyState open(LayerShape shape) {
    requireHeads(shape);
    return new State(shape);
  }

  private final class State implements PolicyState {
    private final LayerShape shape;
    private final double[][] keySums;
    private final double[][] valueSums;
    private final long[] positionSums;
    private final long[] dropped;

    /** Where the oldest token that is no sink may be found; looked for elsewhere if it is not. */
    private final int[] next;

    private final long[] oldest; // its position, -1 where it is not known

    State(LayerShape shape) {
      this.shape = shape;
      keySums = new double[shape.kvHeads()][];
      valueSums = new double[shape.kvHeads()][];
      positionSums = new long[shape.kvHeads()];
      dropped = new long[shape.kvHeads()];
      next = new int[shape.kvHeads()];
      oldest = new long[shape.kvHeads()];
      Arrays.fill(oldest, -1);
    }

    @Override
    public void decide(KvEntries entries, boolean promptEnds, Decision out) {
      for (int head = 0; head < shape.kvHeads(); head++) {
        if (!keepsAll(shape.layer(), head)) {
          decide(entries, head, out);
        }
      }
    }

    private void decide(KvEntries entries, int head, Decision out) {
      long first = entries.length() - recent(shape.layer(), head, entries.length());
      long kept = entries.length() - Math.max(0, first) + Math.min(sinks, entries.length());
      if (entries.count(head) <= kept) {
        return;
      }
      long before = dropped[head];
      int hint = next[head];
      if (oldest[head] == first - 1
          && hint < entries.count(head)
          && entries.position(head, hint) == oldest[head]) {
        drop(entries, head, hint, out);
      } else {
        for (int entry = 0; entry < entries.count(head); entry++) {
          long position = entries.position(head, entry);
          if (position >= sinks && position < first) {
            drop(entries, head, entry, out);
          }
        }
      }
      oldest[head] = first;
      if (dropped[head] > before) {
        out.summary(head, summary(head));
      }
    }

    private void drop(KvEntries entries, int head, int entry, Decision out) {
      out.drop(head, entry);
      if (summarised) {
        add(entries, head, entry, entries.position(head, entry));
      }
      // The newest entry takes its place, and the one after is the next oldest: a ring.
      next[head] = entry + 1;
    }

    private void add(KvEntries entries, int head, int entry, long position) {
      if (keySums[head] == null) {
        keySums[head] = new double[shape.headDim()];
        valueSums[head] = new double[shape.valueDim()];
      }
      float[] key = new float[shape.headDim()];
      float[] value = new float[shape.valueDim()];
      entries.key(head, entry, key);
      entries.value(head, entry, value);
      for (int d = 0; d < key.length; d++) {
        keySums[head][d] += key[d];
      }
      for (int d = 0; d < value.length; d++) {
        valueSums[head][d] += value[d];
      }
      positionSums[head] += position;
      dropped[head]++;
    }

    private Decision.Summary summary(int head) {
      long count = dropped[head];
      return new Decision.Summary(
          mean(keySums[head], count),
          mean(valueSums[head], count),
          weighted ? (float) Math.log(count) : 0,
          (int) (positionSums[head] / count));
    }

    private static float[] mean(double[] sums, long count) {
      float[] mean = new float[sums.length];
      for (int d = 0; d < mean.length; d++) {
        mean[d] = (float) (sums[d] / count);
      }
      return mean;
    }

    @Override
    public PolicyState fork() {
      State copy = new State(shape);
      for (int head = 0; head < dropped.length; head++) {
        if (dropped[head] > 0) {
          copy.keySums[head] = keySums[head].clone();
          copy.valueSums[head] = valueSums[head].clone();
          copy.positionSums[head] = positionSums[head];
          copy.dropped[head] = dropped[head];
        }
      }
      return copy;
    }

    @Override
    public void save(DataOutput out) throws IOException {
      for (int head = 0; head < dropped.length; head++) {
        out.writeLong(dropped[head]);
        out.writeLong(positionSums[head]);
        if (dropped[head] > 0) {
          for (double sum : keySums[head]) {
            out.writeDouble(sum);
          }
          for (double sum : valueSums[head]) {
            out.writeDouble(sum);
          }
        }
      }
    }

    @Override
    public void load(DataInput in) throws IOException {
      for (int head = 0; head < dropped.length; head++) {
        dropped[head] = in.readLong();
        positionSums[head] = in.readLong();
        if (dropped[head] < 0) {
          throw new IOException("a head cannot have dropped " + dropped[head] + " tokens");
        }
        if (dropped[head] > 0) {
          keySums[head] = doubles(in, shape.headDim());
          valueSums[head] = doubles(in, shape.valueDim());
        }
      }
    }

    private static double[] doubles(DataInput in, int count) throws IOException {
      double[] values = new double[count];
      for (int i = 0; i < count; i++) {
        values[i] = in.readDouble();
      }
      return values;
    }

    @Override
    public long bytes() {
      long bytes = 0;
      for (int head = 0; head < dropped.length; head++) {
        if (keySums[head] != null) {
          bytes += (long) Double.BYTES * (keySums[head].length + valueSums[head].length);
        }
      }
      return bytes;
    }
  }
}
