package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.MatmulKernel;
import io.attention4j.engine.spi.MatmulSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Storage;
import io.attention4j.engine.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Weights copied to the device in their own format, or packed as {@link PackedWeights} says, and
 * decoded in the products, see matmul.cl.
 */
final class OpenClMatmul implements MatmulKernel {
  private static final int TILE = 32;

  /** Up to this many rows each row reads the weights anew; from here on tiles share them. */
  private static final int GEMV_ROWS = 4;

  private final ClContext context;

  OpenClMatmul(ClContext context) {
    this.context = context;
  }

  @Override
  public Support supports(MatmulSpec spec) {
    if (spec.outFeatures() > Integer.MAX_VALUE || spec.inFeatures() > Integer.MAX_VALUE) {
      return Support.no("matrices have at most 2^31 - 1 rows and columns, not " + spec);
    }
    return WeightTypes.supports(spec.weight());
  }

  @Override
  public long ownedBytes(MatmulSpec spec) {
    return spec.weight().bytes(spec.inFeatures()) * spec.outFeatures();
  }

  @Override
  public MatmulPlan plan(List<Tensor> weights, List<Tensor> biases) {
    TensorChecks.requireWeights(weights, biases);
    List<ClBuffer> owned = new ArrayList<>();
    boolean complete = false;
    try {
      List<Bound> bound = new ArrayList<>();
      for (int i = 0; i < weights.size(); i++) {
        bound.add(bind(weights.get(i), biases == null ? null : biases.get(i), owned));
      }
      complete = true;
      return new Plan(context, List.copyOf(weights), bound, owned);
    } finally {
      if (!complete) {
        owned.forEach(ClBuffer::close);
      }
    }
  }

  /** A weight and its bias in the device's memory. */
  private record Bound(
      Tensor weight,
      ClBuffer memory,
      boolean packed,
      long firstByte,
      long rowBytes,
      long scalesAt,
      long rowScales,
      ClBuffer bias,
      long biasAt) {
    /** Whether 16 bytes can be loaded at once from every row. */
    boolean aligned() {
      return firstByte % 16 == 0 && rowBytes % 16 == 0 && weight.extent(1) % 16 == 0;
    }
  }

  private Bound bind(Tensor weight, Tensor bias, List<ClBuffer> owned) {
    MatmulSpec spec = new MatmulSpec(weight.dtype(), weight.extent(0), weight.extent(1));
    if (supports(spec) instanceof Support.No no) {
      throw new IllegalArgumentException(no.reason());
    }
    long rowBytes = weight.dtype().bytes(weight.stride(0));
    PackedWeights packing = PackedWeights.of(weight.dtype());
    boolean packed =
        packing != null && weight.storage() instanceof Storage.Host && weight.isContiguous();
    ClBuffer memory;
    long firstByte = 0;
    long scalesAt = 0;
    long rowScales = 0;
    if (packed) {
      long rowBlocks = rowBytes / (packing.codeBytes() + 2);
      long blocks = weight.extent(0) * rowBlocks;
      memory = context.allocate(weight.byteSize());
      owned.add(memory);
      packing.upload(weight, blocks, memory, context);
      rowBytes = rowBlocks * packing.codeBytes();
      scalesAt = packing.scalesAt(blocks);
      rowScales = 2 * rowBlocks;
    } else if (weight.storage() instanceof Storage.Host) {
      long bytes =
          weight.extent(0) == 0
              ? 0
              : (weight.extent(0) - 1) * rowBytes + weight.dtype().bytes(weight.extent(1));
      memory = context.allocate(bytes);
      owned.add(memory);
      context.load(weight.segment().asSlice(0, bytes), memory, 0);
    } else {
      memory = DeviceMemory.of("the weight", weight, context);
      firstByte = weight.byteOffset();
    }
    ClBuffer biasMemory = null;
    long biasAt = 0;
    if (bias != null && bias.storage() instanceof Storage.Host) {
      biasMemory = context.allocate(bias.byteSize());
      owned.add(biasMemory);
      context.load(bias.segment().asSlice(0, bias.byteSize()), biasMemory, 0);
    } else if (bias != null) {
      biasMemory = DeviceMemory.of("the bias", bias, context);
      biasAt = DeviceMemory.floatOffset(bias);
    }
    return new Bound(
        weight, memory, packed, firstByte, rowBytes, scalesAt, rowScales, biasMemory, biasAt);
  }

  private record Plan(
      ClContext context, List<Tensor> weights, List<Bound> bound, List<ClBuffer> owned)
      implements MatmulPlan {
    @Override
    public void run(Tensor x, int rows, Tensor[] outputs, boolean accumulate) {
      TensorChecks.requireMatmul(weights, x, rows, outputs);
      for (int i = 0; i < outputs.length; i++) {
        multiply(bound.get(i), x, rows, outputs[i], accumulate ? 1 : 0);
      }
    }

    private void multiply(Bound w, Tensor x, int rows, Tensor y, int accumulate) {
      int in = (int) w.weight.extent(1);
      int out = (int) w.weight.extent(0);
      ClBuffer from = DeviceMemory.of("x", x, context);
      ClBuffer to = DeviceMemory.of("the output", y, context);
      long xAt = DeviceMemory.floatOffset(x);
      ClProgramCache.Source source =
          WeightTypes.source(
              "matmul", w.weight.dtype(), w.packed, w.aligned() && x.byteOffset() % 16 == 0);
      long yAt = DeviceMemory.floatOffset(y);
      ClBuffer bias = w.bias == null ? from : w.bias;
      int hasBias = w.bias == null ? 0 : 1;
      long[] items = {RowKernels.ITEMS, 1};
      if (rows <= GEMV_ROWS) {
        context.launch(
            source,
            "gemv",
            new long[] {out, rows},
            items,
            w.memory,
            w.firstByte,
            w.rowBytes,
            w.scalesAt,
            w.rowScales,
            in,
            out,
            from,
            xAt,
            bias,
            w.biasAt,
            hasBias,
            to,
            yAt,
            accumulate);
      } else {
        context.launch(
            source,
            "gemm",
            new long[] {Math.ceilDiv(out, TILE), Math.ceilDiv(rows, TILE)},
            items,
            w.memory,
            w.firstByte,
            w.rowBytes,
            w.scalesAt,
            w.rowScales,
            in,
            out,
            rows,
            from,
            xAt,
            bias,
            w.biasAt,
            hasBias,
            to,
            yAt,
            accumulate);
      }
    }

    @Override
    public long weightBytes() {
      return weights.stream().mapToLong(Tensor::byteSize).sum();
    }

    @Override
    public void close() {
      owned.forEach(ClBuffer::close);
    }
  }
}
