package io.attention4j.llm.decoder;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.ElementwiseKernel;
import io.attention4j.engine.spi.EmbeddingKernel;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TopKKernel;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.llm.architecture.ModelConfig;
import io.attention4j.llm.architecture.Weight;
import io.attention4j.llm.decoder.Linear.Product;
import io.attention4j.llm.loading.WeightLoader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Final norm and output matrix, for the rows whose result is wanted and for no others: of a prompt
 * that is the last, and the matrix is often the largest of all.
 */
final class OutputHead implements AutoCloseable {
  private final Norm norm;
  private final Linear matrix;
  private final float softCap;
  private final ElementwiseKernel elementwise;
  private final EmbeddingKernel gather;
  private final Activations a;
  private final HostRows logits;
  private final HostRows hidden;
  private final int[] rows;
  private final int[] owners;

  /** Finds candidates where logits lie, or null where they can be read in place. */
  private final TopKKernel topK;

  private int[] best = new int[0];
  private float[] bestLogits = new float[0];

  private OutputHead(
      Norm norm,
      Linear matrix,
      float softCap,
      KernelSelector kernels,
      Activations activations,
      Arena hostArena) {
    this.norm = norm;
    this.matrix = matrix;
    this.softCap = softCap;
    this.elementwise =
        kernels.select(ElementwiseKernel.class, ElementwiseKernel.Operation.SOFT_CAP);
    this.gather = kernels.select(EmbeddingKernel.class, DType.F32);
    this.a = activations;
    this.logits = new HostRows(activations.logits, kernels.device(), hostArena);
    this.hidden = new HostRows(activations.selected, kernels.device(), hostArena);
    this.rows = new int[activations.outputRows()];
    this.owners = new int[rows.length];
    this.topK =
        activations.logits.storage() instanceof Storage.Host
            ? null
            : kernels.device().kernel(TopKKernel.class).orElse(null);
  }

  static OutputHead load(
      ModelConfig config,
      WeightLoader weights,
      Tensor tokenTable,
      Activations activations,
      KernelSelector kernels,
      Arena hostArena) {
    ModelConfig.Sizes sizes = config.sizes();
    Norm norm = Norm.load(config.norms(), Weight.FINAL_NORM, 0, sizes.modelDim(), weights, kernels);
    boolean tied = config.embedding().tiedOutput() && !weights.has(Weight.OUTPUT, 0);
    Tensor matrix =
        tied ? tokenTable : weights.matrix(Weight.OUTPUT, 0, sizes.vocabulary(), sizes.modelDim());
    Tensor bias = weights.bias(Weight.OUTPUT, 0, sizes.vocabulary()).orElse(null);
    return new OutputHead(
        norm,
        Linear.of(kernels, new Product(matrix, bias, activations.logits)),
        config.embedding().logitSoftCap(),
        kernels,
        activations,
        hostArena);
  }

  /** Hands every wanted row to its step's sink. */
  void run(Step[] steps, int count, AttentionBatch batch) {
    run(Step.Output.LOGITS, steps, count, batch);
    run(Step.Output.CANDIDATES, steps, count, batch);
    run(Step.Output.HIDDEN, steps, count, batch);
  }

  private void run(Step.Output kind, Step[] steps, int count, AttentionBatch batch) {
    int pending = 0;
    for (int s = 0; s < count; s++) {
      Step step = steps[s];
      if (step.output != kind) {
        continue;
      }
      for (int row = step.outputFrom; row < step.rows; row++) {
        rows[pending] = batch.firstRow(s) + row;
        owners[pending++] = s;
        if (pending == rows.length) {
          emit(kind, pending, steps, batch);
          pending = 0;
        }
      }
    }
    if (pending > 0) {
      emit(kind, pending, steps, batch);
    }
  }

  /** Computes the rows collected and delivers them in order. */
  private void emit(Step.Output kind, int count, Step[] steps, AttentionBatch batch) {
    gather.run(a.residual, rows, count, a.selected);
    norm.run(a.selected, count, a.selected);
    switch (kind) {
      case HIDDEN -> deliver(hidden, count, steps, batch);
      case LOGITS -> {
        computeLogits(count);
        deliver(logits, count, steps, batch);
      }
      case CANDIDATES -> {
        computeLogits(count);
        deliverCandidates(count, steps, batch);
      }
    }
  }

  private void computeLogits(int count) {
    matrix.run(a.selected, count);
    if (softCap != 0) {
      long elements = count * a.logits.extent(1);
      elementwise.run(ElementwiseKernel.Operation.SOFT_CAP, a.logits, null, softCap, elements);
    }
  }

  private void deliver(HostRows results, int count, Step[] steps, AttentionBatch batch) {
    for (int i = 0; i < count; i++) {
      int row = rows[i] - batch.firstRow(owners[i]);
      steps[owners[i]].sink.accept(row, results.read(i), results.byteOffset(i));
    }
  }

  /** The same number for all rows; who wants fewer takes the first. */
  private void deliverCandidates(int count, Step[] steps, AttentionBatch batch) {
    int most = 0;
    for (int i = 0; i < count; i++) {
      most = Math.max(most, steps[owners[i]].candidates);
    }
    if (best.length < count * most) {
      best = new int[rows.length * most];
      bestLogits = new float[best.length];
    }
    topK.run(a.logits, count, (int) a.logits.extent(1), most, best, bestLogits);
    for (int i = 0; i < count; i++) {
      Step step = steps[owners[i]];
      int row = rows[i] - batch.firstRow(owners[i]);
      step.candidateSink.accept(row, best, bestLogits, i * most, step.candidates);
    }
  }

  /** Whether this many candidates can be found without reading logits. */
  boolean picks(int candidates) {
    return topK != null
        && candidates <= a.logits.extent(1)
        && topK.supports(candidates) instanceof Support.Yes;
  }

  long weightBytes() {
    return matrix.weightBytes();
  }

  @Override
  public void close() {
    matrix.close();
  }

  /** Rows of a tensor in host memory. */
  private static final class HostRows {
    private final Device device;
    private final long rowBytes;
    private final MemorySegment memory;
    private final Tensor[] rows; // null for host tensors

    HostRows(Tensor tensor, Device device, Arena hostArena) {
      this.device = device;
      rowBytes = tensor.extent(1) * Float.BYTES;
      if (tensor.storage() instanceof Storage.Host) {
        memory = tensor.segment();
        rows = null;
        return;
      }
      memory = hostArena.allocate(rowBytes, Tensor.ALIGNMENT_BYTES);
      rows = new Tensor[(int) tensor.extent(0)];
      for (int i = 0; i < rows.length; i++) {
        rows[i] = tensor.select(i);
      }
    }

    /** Memory that holds the row at {@link #byteOffset}, until the next read. */
    MemorySegment read(int row) {
      if (rows != null) {
        device.download(rows[row], memory);
      }
      return memory;
    }

    long byteOffset(int row) {
      return rows == null ? row * rowBytes : 0;
    }
  }
}
