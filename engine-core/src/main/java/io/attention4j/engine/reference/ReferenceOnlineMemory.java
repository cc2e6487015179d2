package io.attention4j.engine.reference;

import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.recurrent.memory.MemoryInputs;
import io.attention4j.engine.recurrent.memory.MemoryState;
import io.attention4j.engine.recurrent.memory.OnlineMemory;
import io.attention4j.engine.spi.OnlineMemoryInputs;
import io.attention4j.engine.spi.OnlineMemoryKernel;
import io.attention4j.engine.spi.OnlineMemorySpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;

/** Every head by its {@link OnlineMemory}; states are rounded to F32 between calls only. */
final class ReferenceOnlineMemory implements OnlineMemoryKernel {
  @Override
  public Support supports(OnlineMemorySpec spec) {
    return Support.YES;
  }

  @Override
  public void run(
      OnlineMemorySpec spec,
      OnlineMemoryInputs in,
      int firstRow,
      int rows,
      int inChunk,
      Tensor state,
      Tensor out) {
    TensorChecks.requireOnlineMemory(spec, in, firstRow, rows, inChunk, state, out);
    OnlineMemory memory = spec.memory();
    int keyDim = spec.network().keyDim();
    int valueDim = spec.network().valueDim();
    int parameters = spec.network().parameters();
    for (int h = 0; h < spec.heads(); h++) {
      MemoryInputs ofHead =
          new MemoryInputs(
              read(in.q(), spec, firstRow, rows, h, keyDim),
              read(in.k(), spec, firstRow, rows, h, keyDim),
              read(in.v(), spec, firstRow, rows, h, valueDim),
              read(in.retention(), spec, firstRow, rows, h, spec.gateWidth()),
              read(in.step(), spec, firstRow, rows, h, spec.gateWidth()),
              in.gate() == null ? null : read(in.gate(), spec, firstRow, rows, h, 1));
      MemoryState wide =
          memory.restore(
              inChunk,
              read(state, spec, 0, 1, h, parameters).values(),
              read(state, spec, 1, 1, h, parameters).values(),
              read(state, spec, 2, 1, h, parameters).values(),
              read(state, spec, 3, 1, h, parameters).values());
      Rows y = memory.recurrent(ofHead, wide);
      write(y, out, spec, firstRow, h);
      for (int i = 0; i < wide.arrays().size(); i++) {
        write(new Rows(wide.arrays().get(i), parameters), state, spec, i, h);
      }
    }
  }

  @Override
  public void read(
      OnlineMemorySpec spec, Tensor q, int firstRow, int rows, Tensor weights, Tensor out) {
    TensorChecks.requireOnlineMemoryRead(spec, q, firstRow, rows, weights, out);
    OnlineMemory memory = spec.memory();
    for (int h = 0; h < spec.heads(); h++) {
      double[] ofHead = read(weights, spec, 0, 1, h, spec.network().parameters()).values();
      MemoryState wide = memory.restore(0, ofHead, ofHead, ofHead, ofHead);
      Rows asked = read(q, spec, firstRow, rows, h, spec.network().keyDim());
      write(memory.read(asked, wide), out, spec, firstRow, h);
    }
  }

  private static Rows read(
      Tensor tensor, OnlineMemorySpec spec, int firstRow, int rows, int head, int dim) {
    double[] values = new double[rows * dim];
    for (int i = 0; i < values.length; i++) {
      long at = ((firstRow + (long) (i / dim)) * spec.heads() + head) * dim + i % dim;
      values[i] = tensor.segment().getAtIndex(Tensor.FLOAT, at);
    }
    return new Rows(values, dim);
  }

  private static void write(
      Rows rows, Tensor tensor, OnlineMemorySpec spec, int firstRow, int head) {
    int dim = rows.width();
    for (int i = 0; i < rows.values().length; i++) {
      long at = ((firstRow + (long) (i / dim)) * spec.heads() + head) * dim + i % dim;
      tensor.segment().setAtIndex(Tensor.FLOAT, at, (float) rows.values()[i]);
    }
  }
}
