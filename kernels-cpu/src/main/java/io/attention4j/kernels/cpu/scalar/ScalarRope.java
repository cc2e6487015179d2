package io.attention4j.kernels.cpu.scalar;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.RopeRows;
import java.lang.foreign.MemorySegment;

/** Rotation in plain loops: (a, b) becomes (a cos - b sin, a sin + b cos). */
final class ScalarRope extends RopeRows {
  ScalarRope(Parallel workers) {
    super(workers);
  }

  @Override
  protected void rotate(
      RopeSpec spec,
      MemorySegment x,
      long at,
      int heads,
      MemorySegment cos,
      long cosAt,
      MemorySegment sin,
      long sinAt,
      int worker) {
    int pairs = spec.rotaryDim() / 2;
    boolean interleaved = spec.layout() == RopeSpec.Layout.INTERLEAVED;
    for (int head = 0; head < heads; head++) {
      long first = at + 4L * head * spec.headDim();
      for (int i = 0; i < pairs; i++) {
        long atA = first + 4L * (interleaved ? 2 * i : i);
        long atB = first + 4L * (interleaved ? 2 * i + 1 : i + pairs);
        float a = x.get(Tensor.FLOAT, atA);
        float b = x.get(Tensor.FLOAT, atB);
        float c = cos.get(Tensor.FLOAT, cosAt + 4L * i);
        float s = sin.get(Tensor.FLOAT, sinAt + 4L * i);
        x.set(Tensor.FLOAT, atA, a * c - b * s);
        x.set(Tensor.FLOAT, atB, a * s + b * c);
      }
    }
  }
}
