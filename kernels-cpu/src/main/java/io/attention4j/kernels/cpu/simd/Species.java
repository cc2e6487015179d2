package io.attention4j.kernels.cpu.simd;

import io.attention4j.kernels.cpu.SimdProvider;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector width of this JVM as compile-time constants: static finals are what C2 folds. {@link
 * SimdKernels#problem} must have accepted the property before this class is initialised.
 */
final class Species {
  /** Width in bits: 128, 256 or 512. */
  static final int BITS = chosenBits();

  /** Floats per vector. */
  static final int LANES = BITS / Float.SIZE;

  /** f32 at full width. */
  static final VectorSpecies<Float> FLOAT =
      VectorSpecies.of(float.class, VectorShape.forBitSize(BITS));

  /** i32 at full width. */
  static final VectorSpecies<Integer> INT =
      VectorSpecies.of(int.class, VectorShape.forBitSize(BITS));

  /** Whether 32 vector registers are there, so that tiles are four vectors wide and not two. */
  static final boolean WIDE = LANES == 16;

  /** i16 at full width. */
  static final VectorSpecies<Short> SHORT =
      VectorSpecies.of(short.class, VectorShape.forBitSize(BITS));

  /** Bytes that widen to one vector of f32; at 128 bits, where there is no such shape, two. */
  static final VectorSpecies<Byte> CODES =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, BITS / 4)));

  private Species() {}

  private static int chosenBits() {
    String forced = System.getProperty(SimdProvider.VECTOR_BITS_PROPERTY);
    return forced == null || forced.isBlank()
        ? Math.min(512, FloatVector.SPECIES_PREFERRED.vectorBitSize())
        : Integer.parseInt(forced.strip());
  }
}
