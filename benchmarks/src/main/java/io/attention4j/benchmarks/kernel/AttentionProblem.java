package io.attention4j.benchmarks.kernel;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;
import io.attention4j.engine.attention.AttentionSpec;
import io.attention4j.engine.attention.BlockMask;
import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.attention.PagedKv;
import io.attention4j.engine.attention.Selection;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.AttentionKernel;
import io.attention4j.engine.spi.AttentionPlan;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.KvWriteKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Shape;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * An {@link AttentionCase} with random inputs of unit variance, ready to run. A KV head of a
 * sequence is one page. The same case has the same inputs everywhere.
 */
public final class AttentionProblem implements AutoCloseable {
  private static final long SEED = 42;
  private static final int WRITTEN_ROWS = 512;

  private final AttentionCase kind;
  private final Device device;
  private final Device.TensorArena arena;
  private final AttentionPlan plan;
  private final AttentionBatch batch = new AttentionBatch();
  private final AttentionInputs inputs;
  private final AttentionOutputs outputs;
  private final Tensor fence;
  private final MemorySegment fenced = MemorySegment.ofArray(new float[1]);

  /**
   * Makes the inputs and the plan.
   *
   * @throws IllegalArgumentException if the kernels refuse the case
   */
  public AttentionProblem(KernelSelector kernels, AttentionCase kind) {
    this.kind = kind;
    AttentionSpec spec = kind.spec();
    AttentionKernel kernel = kernels.select(AttentionKernel.class, spec);
    KvWriteKernel writer = kernels.select(KvWriteKernel.class, kind.format());
    SplittableRandom random = new SplittableRandom(SEED);
    plan = kernel.plan(spec);
    device = kernels.device();
    arena = device.newArena();
    int totalRows = kind.rows() * kind.keys().size();
    Tensor q = arena.allocate(DType.F32, totalRows, kind.queryHeads(), kind.headDim());
    fill(q, random);
    PagedKv kv = new PagedKv(kind.kvHeads());
    kv.reset(kind.keys().size());
    for (int sequence = 0; sequence < kind.keys().size(); sequence++) {
      int keys = kind.keys().get(sequence);
      batch.add(kind.rows(), (long) keys - kind.rows());
      addPages(kv, sequence, keys, writer, random);
    }
    Selection selection =
        kind.keptKeyBlocks() == 0
            ? Selection.NONE
            : new Selection.Blocks(randomBlocks(kind, random));
    inputs = new AttentionInputs(q, kv, selection);
    outputs =
        new AttentionOutputs(
            arena.allocate(DType.F32, totalRows, kind.queryHeads(), kind.headDim()), null);
    fence = DeviceData.fence(device, arena);
  }

  private void addPages(
      PagedKv kv, int sequence, int keys, KvWriteKernel writer, SplittableRandom random) {
    long pageBytes = kind.format().pageBytes(keys, kind.headDim());
    KvPage[] pages = new KvPage[kind.kvHeads()];
    for (int head = 0; head < pages.length; head++) {
      Tensor keyBytes = arena.allocate(DType.I8, pageBytes);
      Tensor valueBytes = arena.allocate(DType.I8, pageBytes);
      pages[head] =
          new KvPage(
              keys,
              keyBytes.storage(),
              keyBytes.byteOffset(),
              kind.format(),
              kind.headDim(),
              valueBytes.storage(),
              valueBytes.byteOffset(),
              kind.format(),
              kind.headDim());
      pages[head].length(keys);
      kv.set(sequence, head, new KvPage[] {pages[head]}, 1);
    }
    try (Device.TensorArena staging = device.newArena()) {
      int rows = Math.min(WRITTEN_ROWS, keys);
      Tensor k = staging.allocate(DType.F32, rows, kind.kvHeads(), kind.headDim());
      Tensor v = staging.allocate(DType.F32, rows, kind.kvHeads(), kind.headDim());
      for (int from = 0; from < keys; from += rows) {
        fill(k, random);
        fill(v, random);
        int count = Math.min(rows, keys - from);
        for (int head = 0; head < pages.length; head++) {
          writer.write(k, v, 0, count, head, pages[head], from);
        }
      }
    }
  }

  private void fill(Tensor tensor, SplittableRandom random) {
    float bound = (float) Math.sqrt(3); // of a uniform variable of variance 1
    DeviceData.fill(
        device,
        tensor,
        segment -> {
          for (long i = 0; i < tensor.shape().elements(); i++) {
            segment.setAtIndex(Tensor.FLOAT, i, (float) random.nextDouble(-bound, bound));
          }
        });
  }

  /** Every query block of every head sees its own random key blocks. */
  private static BlockMask randomBlocks(AttentionCase kind, SplittableRandom random) {
    int queryBlocks = kind.rows() / AttentionCase.BLOCK;
    int keyBlocks = kind.keys().getFirst() / AttentionCase.BLOCK;
    int rows = kind.queryHeads() * queryBlocks;
    int kept = kind.keptKeyBlocks();
    int[] indptr = new int[rows + 1];
    int[] indices = new int[rows * kept];
    int[] shuffled = new int[keyBlocks];
    Arrays.setAll(shuffled, i -> i);
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < kept; i++) {
        int other = random.nextInt(i, keyBlocks);
        int block = shuffled[other];
        shuffled[other] = shuffled[i];
        shuffled[i] = block;
        indices[row * kept + i] = block;
      }
      Arrays.sort(indices, row * kept, (row + 1) * kept);
      indptr[row + 1] = (row + 1) * kept;
    }
    return new BlockMask(
        AttentionCase.BLOCK,
        AttentionCase.BLOCK,
        BlockMask.HeadAxis.QUERY_HEAD,
        new int[1],
        indptr,
        indices,
        new int[rows + 1],
        new int[0]);
  }

  /** The case. */
  public AttentionCase kind() {
    return kind;
  }

  /** Attends once and waits for it. */
  public void run() {
    plan.run(batch, inputs, outputs);
    if (fence != null) {
      device.download(fence, fenced);
    }
  }

  /** Queries as [queryHeads, rows, headDim]; of a case with one sequence. */
  public float[] queriesByHead() {
    return byHead(inputs.q());
  }

  /** Results as [queryHeads, rows, headDim]; of a case with one sequence. */
  public float[] outputByHead() {
    return byHead(outputs.out());
  }

  /** Keys as [kvHeads, keys, headDim]; of a case with one sequence in F32. */
  public float[] keysByHead() {
    return pages(true);
  }

  /** Values as [kvHeads, keys, headDim]; of a case with one sequence in F32. */
  public float[] valuesByHead() {
    return pages(false);
  }

  private float[] byHead(Tensor tensor) {
    int rows = kind.rows();
    int heads = kind.queryHeads();
    int dim = kind.headDim();
    float[] source = DeviceData.floats(device, tensor);
    float[] result = new float[source.length];
    for (int row = 0; row < rows; row++) {
      for (int head = 0; head < heads; head++) {
        System.arraycopy(
            source, (row * heads + head) * dim, result, (head * rows + row) * dim, dim);
      }
    }
    return result;
  }

  private float[] pages(boolean keys) {
    int elements = kind.keys().getFirst() * kind.headDim();
    float[] result = new float[kind.kvHeads() * elements];
    for (int head = 0; head < kind.kvHeads(); head++) {
      KvPage page = inputs.kv().page(0, head, 0);
      Tensor vectors =
          Tensor.of(
              keys ? page.keys() : page.values(),
              DType.F32,
              Shape.of(elements),
              keys ? page.keyOffset() : page.valueOffset());
      System.arraycopy(DeviceData.floats(device, vectors), 0, result, head * elements, elements);
    }
    return result;
  }

  @Override
  public void close() {
    plan.close();
    arena.close();
  }
}
