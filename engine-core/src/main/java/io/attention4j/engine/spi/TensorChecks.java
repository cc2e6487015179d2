package io.attention4j.engine.spi;

import io.attention4j.engine.attention.KvPage;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.util.List;

/** Argument checks that kernels of every provider share; they allocate only when they refuse. */
public final class TensorChecks {
  private TensorChecks() {}

  /**
   * A contiguous F32 tensor with at least this many elements.
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requireFloats(String name, Tensor tensor, long elements) {
    if (tensor.dtype() != DType.F32
        || !tensor.isContiguous()
        || elements < 0
        || tensor.shape().elements() < elements) {
      throw new IllegalArgumentException(
          name
              + " must be contiguous F32 with at least "
              + elements
              + " elements, not "
              + (tensor.isContiguous() ? "" : "a strided view ")
              + tensor);
    }
  }

  /**
   * A contiguous F32 tensor with at least {@code rows} rows of {@code width} elements, where the
   * innermost extents of the tensor multiply to {@code width}.
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requireRows(String name, Tensor tensor, long rows, long width) {
    boolean fits =
        tensor.dtype() == DType.F32
            && tensor.isContiguous()
            && rows >= 0
            && endsWith(tensor, width)
            && tensor.shape().elements() >= Math.multiplyExact(rows, width);
    if (!fits) {
      throw new IllegalArgumentException(
          name
              + " must be contiguous F32 [>= "
              + rows
              + ", "
              + width
              + "], not "
              + (tensor.isContiguous() ? "" : "a strided view ")
              + tensor);
    }
  }

  /**
   * A contiguous host vector of this many F32 elements, or null.
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requireVectorOrNull(String name, Tensor tensor, long elements) {
    if (tensor == null) {
      return;
    }
    if (tensor.dtype() != DType.F32
        || !tensor.isContiguous()
        || tensor.shape().elements() != elements) {
      throw new IllegalArgumentException(
          name + " must be contiguous F32[" + elements + "] or null, not " + tensor);
    }
  }

  /**
   * A contiguous tensor whose bytes a host segment covers.
   *
   * @throws IllegalArgumentException naming both sizes
   */
  public static void requireTransfer(String what, long hostBytes, Tensor tensor) {
    if (!tensor.isContiguous() || tensor.byteSize() != hostBytes) {
      throw new IllegalArgumentException(
          "cannot "
              + what
              + " between "
              + hostBytes
              + " bytes of host memory and "
              + (tensor.isContiguous() ? "" : "a strided view ")
              + tensor
              + " of "
              + tensor.byteSize()
              + " bytes");
    }
  }

  /**
   * A contiguous F32 tensor [&gt;= rows, heads, headDim].
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requireHeads(String name, Tensor tensor, int rows, int headDim) {
    boolean fits =
        tensor.dtype() == DType.F32
            && tensor.isContiguous()
            && tensor.shape().rank() == 3
            && rows >= 0
            && tensor.extent(0) >= rows
            && tensor.extent(2) == headDim;
    if (!fits) {
      throw new IllegalArgumentException(
          name
              + " must be contiguous F32 [>= "
              + rows
              + ", heads, "
              + headDim
              + "], not "
              + (tensor.isContiguous() ? "" : "a strided view ")
              + tensor);
    }
  }

  /**
   * Arguments of {@link ElementwiseKernel#run}.
   *
   * @throws IllegalArgumentException naming the operation and what does not fit it
   */
  public static void requireElementwise(
      ElementwiseKernel.Operation operation, Tensor x, Tensor y, long elements) {
    requireFloats("x", x, elements);
    boolean binary =
        operation == ElementwiseKernel.Operation.ADD
            || operation == ElementwiseKernel.Operation.MULTIPLY;
    if (binary != (y != null)) {
      throw new IllegalArgumentException(
          operation
              + (binary ? " needs a second tensor y" : " takes a scalar; pass y = null, not " + y));
    }
    if (binary) {
      requireFloats("y", y, elements);
    }
  }

  /**
   * Arguments of {@link EmbeddingKernel#run}.
   *
   * @throws IllegalArgumentException naming the tensor or the id that does not fit
   */
  public static void requireEmbedding(Tensor table, int[] ids, int rows, Tensor out) {
    requireMatrix("table", table);
    requireRows("out", out, rows, table.extent(1));
    if (rows > ids.length) {
      throw new IllegalArgumentException(ids.length + " ids do not give " + rows + " rows");
    }
    for (int i = 0; i < rows; i++) {
      if (ids[i] < 0 || ids[i] >= table.extent(0)) {
        throw new IllegalArgumentException(
            "token id " + ids[i] + " is outside the vocabulary 0.." + (table.extent(0) - 1));
      }
    }
  }

  /**
   * Arguments of {@link TopKKernel#run}.
   *
   * @throws IllegalArgumentException naming what does not fit
   */
  public static void requireTopK(
      Tensor x, int rows, int size, int k, int[] indices, float[] values) {
    requireRows("x", x, rows, size);
    if (k < 1 || k > size) {
      throw new IllegalArgumentException(
          "k is " + k + "; it must be 1 to the " + size + " of a row");
    }
    int room = Math.min(indices.length, values.length);
    if ((long) rows * k > room) {
      throw new IllegalArgumentException(
          "the " + k + " highest of " + rows + " rows do not fit arrays of " + room);
    }
  }

  /**
   * Weights and biases of {@link MatmulKernel#plan}.
   *
   * @throws IllegalArgumentException naming the tensors that do not fit together
   */
  public static void requireWeights(List<Tensor> weights, List<Tensor> biases) {
    if (weights.isEmpty() || biases != null && biases.size() != weights.size()) {
      throw new IllegalArgumentException(
          weights.size()
              + " weights with "
              + (biases == null ? "no" : "" + biases.size())
              + " biases; give at least one weight and as many biases, or null");
    }
    for (int i = 0; i < weights.size(); i++) {
      Tensor weight = weights.get(i);
      requireMatrix("weight " + i, weight);
      if (weight.extent(1) != weights.getFirst().extent(1)) {
        throw new IllegalArgumentException(
            "weights " + weights.getFirst() + " and " + weight + " do not share their inputs");
      }
      requireVectorOrNull("bias " + i, biases == null ? null : biases.get(i), weight.extent(0));
    }
  }

  /**
   * Arguments of {@link MatmulKernel.MatmulPlan#run}.
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requireMatmul(List<Tensor> weights, Tensor x, int rows, Tensor[] outputs) {
    requireRows("x", x, rows, weights.getFirst().extent(1));
    if (outputs.length != weights.size()) {
      throw new IllegalArgumentException(
          outputs.length + " outputs for " + weights.size() + " weights");
    }
    for (int i = 0; i < outputs.length; i++) {
      requireRows("every output", outputs[i], rows, weights.get(i).extent(0));
    }
  }

  /**
   * Arguments of {@link KvWriteKernel#write}.
   *
   * @throws IllegalArgumentException naming the range or tensor that does not fit
   */
  public static void requireKvWrite(
      Tensor k, Tensor v, int row, int count, int kvHead, KvPage page, int slot) {
    if (row < 0 || count < 0 || slot < 0 || slot > page.capacity() - count) {
      throw new IllegalArgumentException(
          "rows ["
              + row
              + ", "
              + ((long) row + count)
              + ") do not fit slots ["
              + slot
              + ", "
              + ((long) slot + count)
              + ") of a page of "
              + page.capacity());
    }
    int rows = Math.addExact(row, count);
    requireHeads("k", k, rows, page.keyDim());
    requireHeads("v", v, rows, page.valueDim());
    if (kvHead < 0 || kvHead >= k.extent(1) || k.extent(1) != v.extent(1)) {
      throw new IllegalArgumentException(
          "KV head " + kvHead + " is not in both k " + k + " and v " + v);
    }
  }

  /**
   * Arguments of {@link LinearScanKernel#run}.
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requireLinearScan(
      LinearScanSpec spec, LinearScanInputs in, int firstRow, int rows, Tensor state, Tensor out) {
    int end = requireRange(firstRow, rows);
    int keys = Math.multiplyExact(spec.stateHeads(), spec.keyDim());
    requireRows("q", in.q(), end, (long) spec.queryHeads() * spec.keyDim());
    requireRows("k", in.k(), end, keys);
    requireRows("v", in.v(), end, (long) spec.stateHeads() * spec.valueDim());
    requirePresence(spec, "decay", in.decay(), spec.decay() != LinearScanSpec.Decay.NONE);
    requirePresence(spec, "beta", in.beta(), spec.write() == LinearScanSpec.Write.DELTA);
    boolean lowRank = spec.write() == LinearScanSpec.Write.LOW_RANK;
    requirePresence(spec, "read", in.read(), lowRank);
    requirePresence(spec, "write", in.write(), lowRank);
    if (in.decay() != null) {
      int width = spec.decay() == LinearScanSpec.Decay.KEY ? keys : spec.stateHeads();
      requireRows("decay", in.decay(), end, width);
    }
    if (in.beta() != null) {
      requireRows("beta", in.beta(), end, spec.stateHeads());
    }
    if (lowRank) {
      requireRows("read", in.read(), end, keys);
      requireRows("write", in.write(), end, keys);
    }
    requireRows("state", state, spec.stateHeads(), (long) spec.keyDim() * spec.valueDim());
    requireRows("out", out, end, (long) spec.queryHeads() * spec.valueDim());
  }

  /**
   * Arguments of {@link PrefixAttentionKernel#run}.
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requirePrefixAttention(
      PrefixAttentionSpec spec, Tensor scores, Tensor v, int rows, Tensor state, Tensor out) {
    long values = (long) spec.heads() * spec.valueDim();
    requireRows("scores", scores, rows, spec.heads());
    requireRows("v", v, rows, values);
    requireRows("state", state, spec.heads(), spec.stateSize());
    requireRows("out", out, rows, values);
  }

  private static int requireRange(int firstRow, int rows) {
    if (firstRow < 0 || rows < 0) {
      throw new IllegalArgumentException(
          rows + " rows from row " + firstRow + " on; neither may be negative");
    }
    return Math.addExact(firstRow, rows);
  }

  private static void requirePresence(
      LinearScanSpec spec, String name, Tensor tensor, boolean needed) {
    if (needed != (tensor != null)) {
      throw new IllegalArgumentException(
          "decay "
              + spec.decay()
              + " and write "
              + spec.write()
              + (needed ? " need a " : " take no ")
              + name
              + " tensor, but it is "
              + tensor);
    }
  }

  /**
   * Arguments of {@link SelectiveScanKernel#run}.
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requireSelectiveScan(
      SelectiveScanSpec spec,
      SelectiveScanInputs in,
      int firstRow,
      int rows,
      Tensor state,
      Tensor out) {
    int end = requireRange(firstRow, rows);
    long columns = Math.multiplyExact((long) spec.heads(), spec.channels());
    long elements = Math.multiplyExact((long) spec.stateDim(), spec.channels());
    requireRows("x", in.x(), end, columns);
    requireRows("decay", in.decay(), end, columns);
    requireRows("write", in.write(), end, columns);
    if (in.b() != null) {
      requireRows("b", in.b(), end, (long) spec.heads() * spec.stateDim());
    }
    if (in.c() != null) {
      requireRows("c", in.c(), end, (long) spec.heads() * spec.stateDim());
    }
    if ((in.a() != null) != (spec.decay() == SelectiveScanSpec.Decay.EXPONENTIAL)) {
      throw new IllegalArgumentException(
          "decay " + spec.decay() + " goes with " + in.a() + " as a; only EXPONENTIAL has one");
    }
    if (in.a() != null) {
      requireRows("a", in.a(), spec.heads(), elements);
    }
    if (in.through() != null) {
      requireRows("through", in.through(), spec.heads(), spec.channels());
    }
    requireRows("state", state, spec.heads(), elements);
    requireRows("out", out, end, columns);
  }

  /**
   * Arguments of {@link CausalConvKernel#run}.
   *
   * @throws IllegalArgumentException naming the tensor, what it is and what is needed
   */
  public static void requireCausalConv(
      CausalConvSpec spec,
      Tensor x,
      int firstRow,
      int rows,
      Tensor weight,
      Tensor bias,
      Tensor state,
      Tensor out) {
    int end = requireRange(firstRow, rows);
    requireRows("x", x, end, spec.channels());
    requireRows("weight", weight, spec.channels(), spec.kernelSize());
    requireVectorOrNull("bias", bias, spec.channels());
    requireRows("out", out, end, spec.channels());
    if (spec.kernelSize() > 1) {
      if (state == null) {
        throw new IllegalArgumentException(
            "a kernel of "
                + spec.kernelSize()
                + " taps needs a state ["
                + spec.channels()
                + ", "
                + (spec.kernelSize() - 1)
                + "]; zeros start a sequence");
      }
      requireRows("state", state, spec.channels(), spec.kernelSize() - 1);
    }
  }

  private static void requireMatrix(String name, Tensor tensor) {
    boolean fits = tensor.shape().rank() == 2 && (tensor.stride(1) == 1 || tensor.extent(1) == 1);
    if (!fits) {
      throw new IllegalArgumentException(
          name + " must be a matrix of contiguous rows, not " + tensor);
    }
  }

  private static boolean endsWith(Tensor tensor, long width) {
    if (width == 0) {
      return tensor.shape().elements() == 0;
    }
    long product = 1;
    for (int i = tensor.shape().rank() - 1; i >= 0 && product < width; i--) {
      product *= tensor.extent(i);
    }
    return product == width;
  }
}
