package io.attention4j.engine.reference;

import io.attention4j.engine.spi.RopeKernel;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.spi.Support;
import io.attention4j.engine.spi.TensorChecks;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** (a, b) becomes (a cos - b sin, a sin + b cos) for every pair of elements. */
final class ReferenceRope implements RopeKernel {
  @Override
  public Support supports(RopeSpec spec) {
    return Support.YES;
  }

  @Override
  public void run(RopeSpec spec, Tensor x, int rows, Tensor cos, Tensor sin) {
    int pairs = spec.rotaryDim() / 2;
    TensorChecks.requireHeads("x", x, rows, spec.headDim());
    TensorChecks.requireRows("cos", cos, rows, pairs);
    TensorChecks.requireRows("sin", sin, rows, pairs);
    long heads = x.extent(1);
    MemorySegment data = x.segment();
    MemorySegment cosines = cos.segment();
    MemorySegment sines = sin.segment();
    boolean interleaved = spec.layout() == RopeSpec.Layout.INTERLEAVED;
    for (long head = 0; head < rows * heads; head++) {
      long row = head / heads;
      long first = head * spec.headDim();
      for (int i = 0; i < pairs; i++) {
        long atA = first + (interleaved ? 2 * i : i);
        long atB = first + (interleaved ? 2 * i + 1 : i + pairs);
        double a = data.getAtIndex(Tensor.FLOAT, atA);
        double b = data.getAtIndex(Tensor.FLOAT, atB);
        double c = cosines.getAtIndex(Tensor.FLOAT, row * pairs + i);
        double s = sines.getAtIndex(Tensor.FLOAT, row * pairs + i);
        data.setAtIndex(Tensor.FLOAT, atA, (float) (a * c - b * s));
        data.setAtIndex(Tensor.FLOAT, atB, (float) (a * s + b * c));
      }
    }
  }
}
