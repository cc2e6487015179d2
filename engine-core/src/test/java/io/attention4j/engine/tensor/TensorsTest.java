package io.attention4j.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TensorsTest {
  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q6_K"})
  void convertsEveryRowAsItsCodecDoes(DType dtype) {
    try (Arena arena = Arena.ofConfined()) {
      float[] values = GgmlCases.bell(1, 1);
      Tensor source = Tensor.ofFloats(arena, values, 2, 1, 256);
      Tensor converted = Tensors.convert(source, dtype, arena);
      assertEquals(dtype, converted.dtype());
      assertEquals(source.shape(), converted.shape());
      byte[] expected = new byte[(int) dtype.bytes(values.length)];
      RowCodec.of(dtype).encode(values, 0, MemorySegment.ofArray(expected), 0, values.length);
      assertArrayEquals(expected, bytes(converted));

      float[] decoded = new float[values.length];
      RowCodec.of(dtype).decode(MemorySegment.ofArray(expected), 0, decoded, 0, values.length);
      assertArrayEquals(decoded, Tensors.convert(converted, DType.F32, arena).toFloats());
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void readsEveryTypeAndCopiesItToItself(DType dtype) {
    try (Arena arena = Arena.ofConfined()) {
      Tensor source = Tensor.allocate(arena, dtype, 3, 256);
      MemorySegment segment = source.segment();
      for (long at = 0; at < source.byteSize(); at++) {
        segment.set(ValueLayout.JAVA_BYTE, at, (byte) (GgmlCases.mix((int) at) >>> 24));
      }
      Tensor lower = source.slice(0, 1, 2);
      Tensor copy = Tensors.convert(lower, dtype, arena);
      assertNotSame(lower, copy);
      assertEquals(
          -1,
          MemorySegment.mismatch(
              segment, dtype.bytes(256), dtype.bytes(768), copy.segment(), 0, dtype.bytes(512)));

      float[] expected = new float[512];
      RowCodec.of(dtype).decode(segment, dtype.bytes(256), expected, 0, 512);
      assertArrayEquals(expected, Tensors.convert(lower, DType.F32, arena).toFloats());
    }
  }

  @Test
  void readsStridedViews() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor source = Tensor.ofFloats(arena, GgmlCases.bell(1, 1), 32, 16);
      Tensor transposed = source.transpose(0, 1);
      Tensor rows = Tensors.convert(transposed, DType.F32, arena);
      for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 32; j++) {
          assertEquals(source.get(j, i), rows.get(i, j));
        }
      }
      byte[] expected = bytes(Tensors.convert(rows, DType.Q8_0, arena));
      assertArrayEquals(expected, bytes(Tensors.convert(transposed, DType.Q8_0, arena)));

      Tensor columns = source.slice(1, 4, 8);
      Tensor dense = Tensors.convert(columns, DType.BF16, arena);
      assertEquals(
          BFloat16.fromFloat(source.get(31, 11)), dense.segment().get(Tensor.SHORT, 2 * 255));
    }
  }

  @Test
  void rowsMayBeLongerThanTheBuffer() {
    try (Arena arena = Arena.ofConfined()) {
      float[] values = new float[2 * 8704];
      for (int i = 0; i < values.length; i++) {
        values[i] = GgmlCases.mix(i) * 0x1p-31f;
      }
      Tensor source = Tensor.ofFloats(arena, values, 2, 8704);
      byte[] expected = new byte[(int) DType.Q6_K.bytes(values.length)];
      RowCodec.of(DType.Q6_K).encode(values, 0, MemorySegment.ofArray(expected), 0, values.length);
      assertArrayEquals(expected, bytes(Tensors.convert(source, DType.Q6_K, arena)));
    }
  }

  @Test
  void scalarsAndEmptyTensors() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor scalar = Tensor.ofFloats(arena, new float[] {1.5f});
      Tensor half = Tensors.convert(scalar, DType.F16, arena);
      assertEquals(0, half.shape().rank());
      assertEquals((short) 0x3e00, half.segment().get(Tensor.SHORT, 0));
      Tensor empty = Tensor.allocate(arena, DType.Q5_1, 0, 64);
      assertEquals(0, Tensors.convert(empty, DType.Q4_0, arena).byteSize());
      assertEquals(
          0,
          Tensors.convert(Tensor.allocate(arena, DType.F32, 4, 0), DType.Q4_K, arena).byteSize());
    }
  }

  @Test
  void refusesWithTheReason() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor source = Tensor.ofFloats(arena, GgmlCases.bell(1, 1), 2, 256);
      String type = refusal(source, DType.Q5_1, arena);
      assertTrue(type.startsWith("Q5_1 can be read but not written; choose one of F32"), type);
      Tensor narrow = source.reshape(16, 32);
      String row = refusal(narrow, DType.Q4_K, arena);
      assertTrue(row.contains("rows of 32 elements of F32[16, 32]") && row.contains("256"), row);

      source.set(Float.NaN, 1, 7);
      String value = refusal(source, DType.Q8_0, arena);
      assertTrue(value.contains("element 7 is NaN"), value);

      Storage device = new Storage.Device("opencl:0", new Object(), 4096);
      Tensor remote = Tensor.of(device, DType.F32, Shape.of(2, 4), 0);
      assertThrows(IllegalStateException.class, () -> Tensors.convert(remote, DType.F16, arena));
    }
  }

  private static String refusal(Tensor source, DType target, Arena arena) {
    return assertThrows(
            IllegalArgumentException.class, () -> Tensors.convert(source, target, arena))
        .getMessage();
  }

  private static byte[] bytes(Tensor tensor) {
    return tensor.segment().asSlice(0, tensor.byteSize()).toArray(ValueLayout.JAVA_BYTE);
  }
}
