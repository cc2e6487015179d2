package io.attention4j.engine.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** One number per element: floats of 16, 32 and 64 bits and signed integers. */
final class PlainRowCodec extends RowCodec {
  private static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  PlainRowCodec(DType dtype) {
    super(dtype);
  }

  @Override
  void decodeChecked(
      MemorySegment source, long byteOffset, float[] target, int targetOffset, int elements) {
    if (dtype() == DType.F32) {
      MemorySegment.copy(source, Tensor.FLOAT, byteOffset, target, targetOffset, elements);
      return;
    }
    int elementBytes = dtype().blockBytes();
    for (int i = 0; i < elements; i++) {
      long at = byteOffset + (long) i * elementBytes;
      target[targetOffset + i] =
          switch (dtype()) {
            case F16 -> half(source, at);
            case BF16 -> BFloat16.toFloat(source.get(Tensor.SHORT, at));
            case F64 -> (float) source.get(DOUBLE, at);
            case I8 -> source.get(ValueLayout.JAVA_BYTE, at);
            case I16 -> source.get(Tensor.SHORT, at);
            case I32 -> source.get(Tensor.INT, at);
            case I64 -> source.get(LONG, at);
            default -> throw new AssertionError(dtype());
          };
    }
  }

  @Override
  void encodeChecked(
      float[] source, int sourceOffset, MemorySegment target, long byteOffset, int elements) {
    if (dtype() == DType.F32) {
      MemorySegment.copy(source, sourceOffset, target, Tensor.FLOAT, byteOffset, elements);
      return;
    }
    for (int i = 0; i < elements; i++) {
      float value = source[sourceOffset + i];
      short bits =
          switch (dtype()) {
            case F16 -> Float.floatToFloat16(value);
            case BF16 -> BFloat16.fromFloat(value);
            default -> throw new AssertionError(dtype());
          };
      target.set(Tensor.SHORT, byteOffset + (long) i * Short.BYTES, bits);
    }
  }
}
