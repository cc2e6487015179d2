package io.attention4j.engine.reference;

import io.attention4j.engine.recurrent.Coefficient;
import io.attention4j.engine.recurrent.DynamicalSystem;
import io.attention4j.engine.recurrent.GatedLinearAttention;
import io.attention4j.engine.recurrent.KimiDeltaAttention;
import io.attention4j.engine.recurrent.LowRank;
import io.attention4j.engine.recurrent.Recurrence;
import io.attention4j.engine.recurrent.Rows;
import io.attention4j.engine.spi.LinearScanInputs;
import io.attention4j.engine.spi.LinearScanKernel;
import io.attention4j.engine.spi.LinearScanSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Every head as a system, token by token; states are rounded to F32 between calls only. */
final class ReferenceLinearScan implements LinearScanKernel {
  @Override
  public Support supports(LinearScanSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(
      LinearScanSpec spec, LinearScanInputs in, int firstRow, int rows, Tensor state, Tensor out) {
    TensorChecks.requireLinearScan(spec, in, firstRow, rows, state, out);
    int stateSize = spec.keyDim() * spec.valueDim();
    for (int h = 0; h < spec.stateHeads(); h++) {
      double[] after = {};
      for (int query = h * spec.groupSize(); query < (h + 1) * spec.groupSize(); query++) {
        double[] matrix = read(state, 0, 1, 1, h, stateSize).values();
        Rows y = Recurrence.run(system(spec, in, firstRow, rows, query, h), matrix);
        write(y, out, firstRow, spec.queryHeads(), query);
        after = matrix;
      }
      write(new Rows(after, stateSize), state, 0, 1, h);
    }
  }

  private static DynamicalSystem system(
      LinearScanSpec spec, LinearScanInputs in, int firstRow, int rows, int query, int h) {
    Rows q = read(in.q(), firstRow, rows, spec.queryHeads(), query, spec.keyDim());
    Rows k = read(in.k(), firstRow, rows, spec.stateHeads(), h, spec.keyDim());
    Rows v = read(in.v(), firstRow, rows, spec.stateHeads(), h, spec.valueDim());
    Rows decay =
        switch (spec.decay()) {
          case NONE -> new Rows(new double[rows], 1);
          case HEAD -> read(in.decay(), firstRow, rows, spec.stateHeads(), h, 1);
          case KEY -> read(in.decay(), firstRow, rows, spec.stateHeads(), h, spec.keyDim());
        };
    return switch (spec.write()) {
      case ADD -> GatedLinearAttention.system(q, k, v, decay, spec.scale());
      case DELTA ->
          KimiDeltaAttention.system(
              q,
              k,
              v,
              read(in.beta(), firstRow, rows, spec.stateHeads(), h, 1),
              decay,
              spec.scale());
      case LOW_RANK ->
          new DynamicalSystem(
              spec.keyDim(),
              Coefficient.perRow(decay.map(Math::exp)),
              new LowRank(
                  read(in.read(), firstRow, rows, spec.stateHeads(), h, spec.keyDim()),
                  read(in.write(), firstRow, rows, spec.stateHeads(), h, spec.keyDim())),
              Coefficient.perRow(k),
              v,
              Coefficient.perRow(q.scaled(spec.scale())),
              null);
    };
  }

  /** One head of [rows, heads, dim]. */
  private static Rows read(Tensor tensor, int firstRow, int rows, int heads, int head, int dim) {
    MemorySegment data = tensor.segment();
    double[] values = new double[rows * dim];
    for (int i = 0; i < values.length; i++) {
      long at = ((firstRow + (long) (i / dim)) * heads + head) * dim + i % dim;
      values[i] = data.getAtIndex(Tensor.FLOAT, at);
    }
    return new Rows(values, dim);
  }

  private static void write(Rows rows, Tensor tensor, int firstRow, int heads, int head) {
    MemorySegment data = tensor.segment();
    int dim = rows.width();
    for (int i = 0; i < rows.values().length; i++) {
      long at = ((firstRow + (long) (i / dim)) * heads + head) * dim + i % dim;
      data.setAtIndex(Tensor.FLOAT, at, (float) rows.values()[i]);
    }
  }
}
