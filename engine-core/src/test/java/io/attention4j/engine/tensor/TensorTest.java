package io.attention4j.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TensorTest {
  private final Arena arena = Arena.ofConfined();

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor counting(long... extents) {
    float[] values = new float[Math.toIntExact(Shape.of(extents).elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    return Tensor.ofFloats(arena, values, extents);
  }

  @Test
  void allocationIsZeroedAndAligned() {
    Tensor tensor = Tensor.allocate(arena, DType.F32, 3, 5);
    assertArrayEquals(new float[15], tensor.toFloats());
    assertEquals(0, tensor.segment().address() % Tensor.ALIGNMENT_BYTES);
    assertEquals(60, tensor.byteSize());
    assertEquals(0, Tensor.allocate(arena, DType.F32, 0, 5).byteSize());
  }

  @Test
  void elementsAreRowMajor() {
    Tensor tensor = counting(2, 3, 4);
    assertEquals(0 * 12 + 2 * 4 + 1, tensor.get(0, 2, 1));
    tensor.set(99, 1, 0, 3);
    assertEquals(99, tensor.toFloats()[12 + 3]);
  }

  @Test
  void viewsShareMemory() {
    Tensor tensor = counting(4, 6);
    Tensor slice = tensor.slice(1, 2, 3);
    assertFalse(slice.isContiguous());
    assertEquals(6 + 2, slice.get(1, 0));
    slice.set(-1, 3, 2);
    assertEquals(-1, tensor.get(3, 4));
    assertEquals(2 * 6 + 5, tensor.select(2).get(5));
    assertEquals(2 * 6 + 5, tensor.reshape(2, 12).get(1, 5));
    assertEquals(1 * 6 + 5, tensor.transpose(0, 1).get(5, 1));
    assertTrue(tensor.slice(0, 1, 2).isContiguous());
  }

  @Test
  void extentsOfOneDoNotBreakContiguity() {
    assertTrue(counting(4, 6).slice(0, 2, 1).isContiguous());
    assertTrue(counting(1, 6).transpose(0, 1).isContiguous());
  }

  @Test
  void refusesViewsOutsideTheTensor() {
    Tensor tensor = counting(4, 6);
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(1, 4, 3));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(1, -1, 3));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.select(4));
    assertThrows(IndexOutOfBoundsException.class, () -> tensor.get(0, 6));
    assertThrows(IllegalArgumentException.class, () -> tensor.reshape(5, 5));
    assertThrows(IllegalArgumentException.class, () -> tensor.slice(1, 0, 3).reshape(12));
    assertThrows(IllegalStateException.class, () -> tensor.slice(1, 0, 3).toFloats());
  }

  @Test
  void refusesStorageThatIsTooSmall() {
    MemorySegment segment = arena.allocate(59);
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> Tensor.of(segment, DType.F32, Shape.of(3, 5)))
            .getMessage();
    assertTrue(
        message.contains("F32[3, 5]") && message.contains("60") && message.contains("59"), message);
    Storage storage = new Storage.Host(arena.allocate(64));
    assertThrows(
        IllegalArgumentException.class, () -> Tensor.of(storage, DType.F32, Shape.of(3, 5), 8));
    assertThrows(
        IllegalArgumentException.class, () -> Tensor.of(storage, DType.F32, Shape.of(1), -4));
  }

  @Test
  void refusesHeapMemory() {
    MemorySegment heap = MemorySegment.ofArray(new float[4]);
    assertThrows(IllegalArgumentException.class, () -> Tensor.of(heap, DType.F32, Shape.of(4)));
  }

  @Test
  void deviceMemoryIsNoHostMemory() {
    Storage storage = new Storage.Device("gpu0", "handle", 64);
    Tensor tensor = Tensor.of(storage, DType.F32, Shape.of(4), 0);
    String message = assertThrows(IllegalStateException.class, tensor::segment).getMessage();
    assertTrue(message.contains("gpu0"), message);
  }

  @Test
  void useAfterCloseFails() {
    Tensor tensor;
    try (Arena other = Arena.ofConfined()) {
      tensor = Tensor.allocate(other, DType.F32, 4);
    }
    assertThrows(IllegalStateException.class, () -> tensor.get(0));
  }

  @Test
  void blocksNeedWholeRows() {
    Tensor quantised = Tensor.allocate(arena, DType.Q8_0, 3, 64);
    assertEquals(3 * 2 * 34, quantised.byteSize());
    assertEquals(2 * 34, quantised.select(1).byteOffset());
    assertEquals(34, quantised.slice(1, 32, 32).byteOffset());
    assertThrows(IllegalArgumentException.class, () -> quantised.slice(1, 16, 32));
    assertThrows(IllegalArgumentException.class, () -> quantised.transpose(0, 1));
    assertThrows(IllegalArgumentException.class, () -> Tensor.allocate(arena, DType.Q8_0, 3, 33));
  }

  @Test
  void valuesMustFillTheShape() {
    assertThrows(IllegalArgumentException.class, () -> Tensor.ofFloats(arena, new float[5], 2, 3));
  }
}
