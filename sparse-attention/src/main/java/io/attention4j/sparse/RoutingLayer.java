package io.attention4j.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.Mask;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.operator.AttentionLayer;
import io.attention4j.engine.operator.KvCache;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.operator.LayerShape;
import io.attention4j.engine.operator.LayerState;
import io.attention4j.engine.operator.OperatorContext;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** A layer of {@link RoutingAttention}. */
final class RoutingLayer implements AttentionLayer, SelectionClock {
  private final RoutingAttention.Options options;
  private final LayerShape shape;
  private final OperatorContext context;
  private final Centroids centroids;
  private final CentroidProducts products;
  private final RopeKernel rope;
  private final AttentionPlan plan;
  private final PagedKv pages;
  private final boolean causal;
  private final boolean ownQueries;
  private final int clusterTokens;

  // Of the step at hand: a row of a head is once in each level, in a cluster of its own. Clusters
  // of each [row * queryHeads + head] so far.
  private final List<KeyGroups> levels = new ArrayList<>();
  private int[] count = {};
  private final float[] read;
  private long selectionNanos;

  RoutingLayer(
      RoutingAttention.Options options,
      LayerShape shape,
      OperatorContext context,
      Centroids centroids,
      RopeKernel rope,
      AttentionPlan plan) {
    this.options = options;
    this.shape = shape;
    this.context = context;
    this.centroids = centroids;
    read = new float[shape.headDim()];
    products =
        new CentroidProducts(
            context.kernels(), centroids, options.norm(), options.clusters(), shape.headDim());
    this.rope = rope;
    this.plan = plan;
    pages = new PagedKv(shape.kvHeads());
    causal = shape.mask() instanceof Mask.Causal;
    ownQueries = !options.tied() && options.queries() == RoutingAttention.Queries.BALANCED;
    clusterTokens =
        options.tokens() > 0
            ? options.tokens()
            : Math.ceilDiv(shape.maxPositions(), options.clusters());
  }

  @Override
  public LayerState newState() {
    ClusterMembers members =
        new ClusterMembers(
            products,
            options.clusters(),
            options.local(),
            shape.queryHeads(),
            shape.kvHeads(),
            shape.headDim(),
            clusterTokens,
            ownQueries);
    return new RoutingState(context.caches().create(shape), members, shape.kvHeads());
  }

  /**
   * Takes in tokens whose queries matter to nobody; where queries form sets of their own, a later
   * row must know them too.
   */
  @Override
  public void append(LayerState[] states, LayerInputs in) {
    normalize(in);
    rotate(in);
    fillCaches(states, in);
    for (int s = 0; s < in.batch().sequences(); s++) {
      enterAll((RoutingState) states[s], in, s);
    }
  }

  private void normalize(LayerInputs in) {
    int rows = in.batch().totalRows();
    if (options.norm() == RoutingAttention.Norm.LAYER) {
      normalize(in.q(), rows * shape.queryHeads());
      if (!options.tied()) {
        normalize(in.k(), rows * shape.kvHeads());
      }
    }
    if (options.tied()) {
      long bytes = (long) Float.BYTES * rows * shape.queryHeads() * shape.headDim();
      MemorySegment.copy(in.q().segment(), 0, in.k().segment(), 0, bytes);
      if (options.norm() == RoutingAttention.Norm.UNIT) {
        normalize(in.k(), rows * shape.kvHeads());
      }
    }
  }

  private void normalize(Tensor vectors, int count) {
    double[] x = new double[shape.headDim()];
    MemorySegment memory = vectors.segment();
    for (int i = 0; i < count; i++) {
      long at = (long) i * x.length;
      for (int d = 0; d < x.length; d++) {
        x[d] = memory.getAtIndex(Tensor.FLOAT, at + d);
      }
      options.norm().apply(x, 0, x.length);
      for (int d = 0; d < x.length; d++) {
        memory.setAtIndex(Tensor.FLOAT, at + d, (float) x[d]);
      }
    }
  }

  private void rotate(LayerInputs in) {
    if (rope != null) {
      int rows = in.batch().totalRows();
      rope.run(shape.rope(), in.q(), rows, in.rope().cos(), in.rope().sin());
      rope.run(shape.rope(), in.k(), rows, in.rope().cos(), in.rope().sin());
    }
  }

  private void fillCaches(LayerState[] states, LayerInputs in) {
    AttentionBatch batch = in.batch();
    pages.reset(batch.sequences());
    for (int s = 0; s < batch.sequences(); s++) {
      KvCache cache = ((RoutingState) states[s]).cache();
      cache.append(in.k(), in.v(), batch.firstRow(s), batch.rows(s));
      cache.fill(pages, s);
      SparseState.requireWhole(cache, pages, s);
    }
  }

  @Override
  public void attend(LayerState[] states, LayerInputs in, Tensor out) {
    AttentionBatch batch = in.batch();
    normalize(in);
    rotate(in);
    fillCaches(states, in);
    long start = System.nanoTime();
    levels.clear();
    level(0);
    int entries = batch.totalRows() * shape.queryHeads();
    count = count.length < entries ? new int[entries] : count;
    Arrays.fill(count, 0);
    for (int s = 0; s < batch.sequences(); s++) {
      listLocal(batch, s);
      RoutingState state = (RoutingState) states[s];
      if (options.strict()) {
        listByRow(state, in, s);
      } else {
        enterAll(state, in, s);
        listStep(state.members(), in, s);
      }
    }
    selectionNanos += System.nanoTime() - start;
    attendLevels(batch, in.q(), out);
    if (!options.learn().isEmpty() && batch.totalRows() > 0) {
      learn(in);
    }
  }

  private KeyGroups level(int depth) {
    while (levels.size() <= depth) {
      levels.add(new KeyGroups());
    }
    return levels.get(depth);
  }

  /** Rows of a block read it and the block before; a bidirectional layer the block after too. */
  private void listLocal(AttentionBatch batch, int sequence) {
    int position = Math.toIntExact(batch.firstPosition(sequence));
    int rows = batch.rows(sequence);
    int length = position + rows;
    int block = options.block();
    for (int head = 0; head < options.local(); head++) {
      for (int row = 0; row < rows; ) {
        int first = (position + row) / block * block;
        int end = (int) Math.min(length, (long) first + block);
        for (; row < end - position; row++) {
          level(0).row(row);
        }
        long last = causal ? end : Math.min(length, (long) end + block);
        for (int key = Math.max(0, first - block); key < last; key++) {
          level(0).key(key, 0);
        }
        level(0).end(sequence, head);
      }
    }
  }

  private void enterAll(RoutingState state, LayerInputs in, int sequence) {
    state.members().addKeys(pages, sequence, Math.toIntExact(state.length()));
    if (ownQueries) {
      addQueries(state.members(), in, sequence, 0, in.batch().rows(sequence));
    }
  }

  private void addQueries(ClusterMembers members, LayerInputs in, int sequence, int row, int end) {
    int position = Math.toIntExact(in.batch().firstPosition(sequence));
    for (int h = 0; h < shape.queryHeads() - options.local(); h++) {
      members.addQueries(h, position + row, position + end, queries(in, sequence, position, h));
    }
  }

  /** Queries of a routing head by token, of which the step's first is {@code position}. */
  private CentroidProducts.Vectors queries(LayerInputs in, int sequence, int position, int head) {
    int dim = shape.headDim();
    long firstRow = in.batch().firstRow(sequence) - position;
    return (first, count, to) -> {
      for (int i = 0; i < count; i++) {
        long at = ((firstRow + first + i) * shape.queryHeads() + options.local() + head) * dim;
        MemorySegment.copy(in.q().segment(), Tensor.FLOAT, at * Float.BYTES, to, i * dim, dim);
      }
    };
  }

  /** A routing head's query, normalised. */
  private double[] query(LayerInputs in, int sequence, int row, int head) {
    long at =
        (in.batch().firstRow(sequence) + row) * (long) shape.queryHeads() + options.local() + head;
    return vector(in.q(), at);
  }

  private double[] vector(Tensor vectors, long index) {
    double[] x = new double[shape.headDim()];
    long at = index * x.length * Float.BYTES;
    MemorySegment.copy(vectors.segment(), Tensor.FLOAT, at, read, 0, x.length);
    for (int d = 0; d < x.length; d++) {
      x[d] = read[d];
    }
    if (options.norm() == RoutingAttention.Norm.UNIT) {
      options.norm().apply(x, 0, x.length);
    }
    return x;
  }

  /** Every row's clusters are those of the tokens so far. */
  private void listByRow(RoutingState state, LayerInputs in, int sequence) {
    AttentionBatch batch = in.batch();
    ClusterMembers members = state.members();
    members.scoreKeys(pages, sequence, Math.toIntExact(state.length()));
    for (int row = 0; row < batch.rows(sequence); row++) {
      int token = Math.toIntExact(batch.firstPosition(sequence) + row);
      if (ownQueries) {
        addQueries(members, in, sequence, row, row + 1);
      }
      members.enterKeys(token + 1);
      for (int h = 0; h < shape.queryHeads() - options.local(); h++) {
        for (int c = 0; c < options.clusters(); c++) {
          if (isIn(members, in, sequence, row, h, c)) {
            list(batch, sequence, h, new int[] {row}, members.keys(h, c));
          }
        }
      }
    }
  }

  private boolean isIn(
      ClusterMembers members, LayerInputs in, int sequence, int row, int head, int cluster) {
    if (options.queries() == RoutingAttention.Queries.NEAREST) {
      return centroids.nearest(head, query(in, sequence, row, head)) == cluster;
    }
    int token = Math.toIntExact(in.batch().firstPosition(sequence) + row);
    return members.hasQuery(head, cluster, token);
  }

  /** The clusters are those of all tokens up to the end of the step. */
  private void listStep(ClusterMembers members, LayerInputs in, int sequence) {
    AttentionBatch batch = in.batch();
    for (int h = 0; h < shape.queryHeads() - options.local(); h++) {
      int[] nearest = nearest(in, sequence, h);
      for (int c = 0; c < options.clusters(); c++) {
        int[] rows = rows(members, batch, sequence, h, c, nearest);
        if (rows.length > 0) {
          list(batch, sequence, h, rows, members.keys(h, c));
        }
      }
    }
  }

  /** The nearest cluster of every row, or null where it does not matter. */
  private int[] nearest(LayerInputs in, int sequence, int head) {
    if (options.queries() != RoutingAttention.Queries.NEAREST) {
      return null;
    }
    int[] nearest = new int[in.batch().rows(sequence)];
    int clusters = options.clusters();
    float[] scores = new float[Math.min(CentroidProducts.ROWS, nearest.length) * clusters];
    for (int first = 0; first < nearest.length; first += CentroidProducts.ROWS) {
      int count = Math.min(CentroidProducts.ROWS, nearest.length - first);
      products.run(head, first, count, queries(in, sequence, 0, head), scores, 0);
      for (int i = 0; i < count; i++) {
        int best = i * clusters;
        for (int at = best + 1; at < (i + 1) * clusters; at++) {
          best = scores[at] > scores[best] ? at : best;
        }
        nearest[first + i] = best - i * clusters;
      }
    }
    return nearest;
  }

  /** Rows of the step that are in a cluster. */
  private static int[] rows(
      ClusterMembers members, AttentionBatch batch, int sequence, int head, int c, int[] nearest) {
    if (nearest != null) {
      return IntStream.range(0, nearest.length).filter(row -> nearest[row] == c).toArray();
    }
    int first = Math.toIntExact(batch.firstPosition(sequence));
    int[] rows = members.queries(head, c, first);
    for (int i = 0; i < rows.length; i++) {
      rows[i] -= first;
    }
    return rows;
  }

  /** Lists rows of a cluster on the first level on which each is free. */
  private void list(AttentionBatch batch, int sequence, int head, int[] rows, int[] keys) {
    int queryHead = options.local() + head;
    long position = batch.firstPosition(sequence);
    int left = rows.length;
    for (int depth = 0; left > 0; depth++) {
      KeyGroups groups = null;
      for (int i = 0; i < rows.length; i++) {
        int at = (batch.firstRow(sequence) + Math.max(0, rows[i])) * shape.queryHeads() + queryHead;
        if (rows[i] < 0 || count[at] != depth) {
          continue;
        }
        left--;
        if (!causal || keys[0] <= position + rows[i]) {
          groups = level(depth);
          groups.row(rows[i]);
          count[at]++;
        }
        rows[i] = -1;
      }
      if (groups != null) {
        groups.keys(keys);
        groups.end(sequence, queryHead);
      }
    }
  }

  /** Runs the levels, adds them up and divides by the number of clusters. */
  private void attendLevels(AttentionBatch batch, Tensor q, Tensor out) {
    try (Device.TensorArena arena = context.kernels().device().newArena()) {
      Tensor part =
          arena.allocate(DType.F32, batch.totalRows(), shape.queryHeads(), shape.valueDim());
      for (int i = 0; i < levels.size(); i++) {
        Selection selection = new Selection.Gathered(levels.get(i).selection());
        Tensor target = i == 0 ? out : part;
        plan.run(
            batch, new AttentionInputs(q, pages, selection), new AttentionOutputs(target, null));
        if (i > 0) {
          add(out.segment(), part.segment(), i);
        }
      }
    }
    MemorySegment memory = out.segment();
    for (int i = 0; i < batch.totalRows() * shape.queryHeads(); i++) {
      if (count[i] > 0) {
        double divisor = count[i] + options.eps();
        for (long at = (long) i * shape.valueDim(); at < (i + 1L) * shape.valueDim(); at++) {
          float sum = memory.getAtIndex(Tensor.FLOAT, at);
          memory.setAtIndex(Tensor.FLOAT, at, (float) (sum / divisor));
        }
      }
    }
  }

  /** Adds the rows that are in a level: those with more clusters than its number. */
  private void add(MemorySegment sum, MemorySegment part, int level) {
    long entries = part.byteSize() / Float.BYTES / shape.valueDim();
    for (int i = 0; i < entries; i++) {
      if (count[i] > level) {
        for (long at = (long) i * shape.valueDim(); at < (i + 1L) * shape.valueDim(); at++) {
          float value = sum.getAtIndex(Tensor.FLOAT, at) + part.getAtIndex(Tensor.FLOAT, at);
          sum.setAtIndex(Tensor.FLOAT, at, value);
        }
      }
    }
  }

  @Override
  public long selectionNanos() {
    return selectionNanos;
  }

  /** Queries and, where they differ, keys of the step move the centroids. */
  private void learn(LayerInputs in) {
    int rows = in.batch().totalRows();
    int groupSize = shape.queryHeads() / shape.kvHeads();
    double[][][] vectors = new double[shape.queryHeads() - options.local()][][];
    for (int h = 0; h < vectors.length; h++) {
      int queryHead = options.local() + h;
      vectors[h] = new double[options.tied() ? rows : 2 * rows][];
      for (int row = 0; row < rows; row++) {
        vectors[h][row] = vector(in.q(), (long) row * shape.queryHeads() + queryHead);
        if (!options.tied()) {
          long key = (long) row * shape.kvHeads() + queryHead / groupSize;
          vectors[h][rows + row] = vector(in.k(), key);
        }
      }
    }
    centroids.learn(vectors, options.decay(), ((long) options.seed() << 32) + shape.layer());
  }

  @Override
  public void close() {
    plan.close();
    products.close();
    if (!options.learn().isEmpty()) {
      try (Arena arena = Arena.ofConfined()) {
        String prefix = GateWeights.prefix(shape, "routing.");
        context.files().update(options.learn(), centroids.tensors(prefix, arena));
      }
    }
  }
}
