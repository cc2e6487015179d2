package io.attention4j.benchmarks.sparse;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.operator.LayerInputs;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/**
 * Queries, keys and values of a layer for one sequence, already rotated, and room for its outputs;
 * several operators read the same.
 */
final class LayerData implements AutoCloseable {
  private final int tokens;
  private final int queryHeads;
  private final int kvHeads;
  private final int headDim;
  private final int valueDim;
  private final Device.TensorArena arena;
  private final Tensor q;
  private final Tensor k;
  private final Tensor v;
  private final Tensor out;

  private LayerData(
      Device device, int tokens, int queryHeads, int kvHeads, int headDim, int valueDim) {
    this.tokens = tokens;
    this.queryHeads = queryHeads;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    this.valueDim = valueDim;
    arena = device.newArena();
    q = arena.allocate(DType.F32, tokens, queryHeads, headDim);
    k = arena.allocate(DType.F32, tokens, kvHeads, headDim);
    v = arena.allocate(DType.F32, tokens, kvHeads, valueDim);
    out = arena.allocate(DType.F32, tokens, queryHeads, valueDim);
  }

  /** Normally distributed values of unit variance, the same for the same sizes. */
  static LayerData random(
      Device device, int tokens, int queryHeads, int kvHeads, int headDim, long seed) {
    LayerData data = new LayerData(device, tokens, queryHeads, kvHeads, headDim, headDim);
    SplittableRandom random = new SplittableRandom(seed);
    for (Tensor tensor : new Tensor[] {data.q, data.k, data.v}) {
      MemorySegment memory = tensor.segment();
      for (long i = 0; i < tensor.shape().elements(); i++) {
        memory.setAtIndex(Tensor.FLOAT, i, (float) random.nextGaussian());
      }
    }
    return data;
  }

  /** Given values, [tokens][heads][headDim] each; v may have other elements per head. */
  static LayerData of(
      Device device, int queryHeads, int kvHeads, int headDim, float[] q, float[] k, float[] v) {
    int tokens = q.length / queryHeads / headDim;
    int valueDim = v.length / kvHeads / tokens;
    LayerData data = new LayerData(device, tokens, queryHeads, kvHeads, headDim, valueDim);
    device.upload(MemorySegment.ofArray(q), data.q);
    device.upload(MemorySegment.ofArray(k), data.k);
    device.upload(MemorySegment.ofArray(v), data.v);
    return data;
  }

  int tokens() {
    return tokens;
  }

  int queryHeads() {
    return queryHeads;
  }

  int kvHeads() {
    return kvHeads;
  }

  int headDim() {
    return headDim;
  }

  int valueDim() {
    return valueDim;
  }

  Tensor q() {
    return q;
  }

  Tensor k() {
    return k;
  }

  Tensor v() {
    return v;
  }

  Tensor out() {
    return out;
  }

  /** Rows [from, from + rows) as a step of one sequence. */
  LayerInputs step(int from, int rows) {
    AttentionBatch batch = new AttentionBatch();
    batch.add(rows, from);
    LayerInputs inputs = new LayerInputs();
    inputs.batch(batch);
    inputs.layer(
        null, q.slice(0, from, rows), k.slice(0, from, rows), v.slice(0, from, rows), null);
    return inputs;
  }

  @Override
  public void close() {
    arena.close();
  }
}
