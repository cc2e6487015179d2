package io.attention4j.kernels.cpu.simd;

import static io.attention4j.kernels.cpu.simd.Species.FLOAT;
import static io.attention4j.kernels.cpu.simd.Species.LANES;

import io.attention4j.engine.runtime.Parallel;
import io.attention4j.engine.spi.RopeSpec;
import io.attention4j.engine.tensor.Tensor;
import io.attention4j.kernels.cpu.rows.RopeRows;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/**
 * Rotation with vectors. Per row the angles are laid out once as the elements of a head lie: x' = x
 * * cos + partner(x) * sin, with the sine negated for the first element of each pair.
 */
final class SimdRope extends RopeRows {
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;

  /** Exchanges the elements of each pair (2i, 2i + 1). */
  private static final VectorShuffle<Float> SWAP = VectorShuffle.fromOp(FLOAT, i -> i ^ 1);

  private final float[][] cosines;
  private final float[][] sines;

  SimdRope(Parallel workers) {
    super(workers);
    cosines = new float[threads()][0];
    sines = new float[threads()][0];
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
    int dim = spec.rotaryDim();
    if (cosines[worker].length < dim) {
      cosines[worker] = Arrays.copyOf(cosines[worker], dim);
      sines[worker] = Arrays.copyOf(sines[worker], dim);
    }
    float[] c = cosines[worker];
    float[] s = sines[worker];
    boolean interleaved = spec.layout() == RopeSpec.Layout.INTERLEAVED;
    int pairs = dim / 2;
    for (int i = 0; i < pairs; i++) {
      int a = interleaved ? 2 * i : i;
      int b = interleaved ? 2 * i + 1 : i + pairs;
      c[a] = cos.get(Tensor.FLOAT, cosAt + 4L * i);
      c[b] = c[a];
      s[b] = sin.get(Tensor.FLOAT, sinAt + 4L * i);
      s[a] = -s[b];
    }
    for (int head = 0; head < heads; head++) {
      long first = at + 4L * head * spec.headDim();
      if (interleaved) {
        interleaved(x, first, dim, c, s);
      } else {
        halfSplit(x, first, pairs, c, s);
      }
    }
  }

  private static void interleaved(MemorySegment x, long first, int dim, float[] cos, float[] sin) {
    int i = 0;
    for (; i + LANES <= dim; i += LANES) {
      FloatVector v = FloatVector.fromMemorySegment(FLOAT, x, first + 4L * i, LE);
      FloatVector partner = v.rearrange(SWAP);
      partner
          .mul(FloatVector.fromArray(FLOAT, sin, i))
          .add(v.mul(FloatVector.fromArray(FLOAT, cos, i)))
          .intoMemorySegment(x, first + 4L * i, LE);
    }
    for (; i < dim; i += 2) {
      rotatePair(x, first + 4L * i, first + 4L * i + 4, cos[i], sin[i + 1]);
    }
  }

  private static void halfSplit(MemorySegment x, long first, int pairs, float[] cos, float[] sin) {
    long second = first + 4L * pairs;
    int i = 0;
    for (; i + LANES <= pairs; i += LANES) {
      FloatVector a = FloatVector.fromMemorySegment(FLOAT, x, first + 4L * i, LE);
      FloatVector b = FloatVector.fromMemorySegment(FLOAT, x, second + 4L * i, LE);
      FloatVector c = FloatVector.fromArray(FLOAT, cos, i);
      FloatVector s = FloatVector.fromArray(FLOAT, sin, pairs + i);
      a.mul(c).sub(b.mul(s)).intoMemorySegment(x, first + 4L * i, LE);
      a.mul(s).add(b.mul(c)).intoMemorySegment(x, second + 4L * i, LE);
    }
    for (; i < pairs; i++) {
      rotatePair(x, first + 4L * i, second + 4L * i, cos[i], sin[pairs + i]);
    }
  }

  private static void rotatePair(MemorySegment x, long atA, long atB, float c, float s) {
    float a = x.get(Tensor.FLOAT, atA);
    float b = x.get(Tensor.FLOAT, atB);
    x.set(Tensor.FLOAT, atA, a * c - b * s);
    x.set(Tensor.FLOAT, atB, a * s + b * c);
  }
}
