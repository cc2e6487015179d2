package io.attention4j.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ShapeTest {
  @Test
  void extentsCountFromBothEnds() {
    Shape shape = Shape.of(2, 3, 5);
    assertEquals(3, shape.rank());
    assertEquals(2, shape.extent(0));
    assertEquals(5, shape.extent(-1));
    assertEquals(2, shape.extent(-3));
    assertEquals(30, shape.elements());
    assertEquals("[2, 3, 5]", shape.toString());
    assertThrows(IndexOutOfBoundsException.class, () -> shape.extent(3));
    assertThrows(IndexOutOfBoundsException.class, () -> shape.extent(-4));
  }

  @Test
  void aScalarHasOneElementAndAnEmptyExtentNone() {
    assertEquals(1, Shape.of().elements());
    assertEquals(0, Shape.of(3, 0, 2).elements());
  }

  @Test
  void stridesAreRowMajor() {
    assertArrayEquals(new long[] {15, 5, 1}, Shape.of(2, 3, 5).contiguousStrides());
    assertArrayEquals(new long[] {5, 5, 1}, Shape.of(2, 0, 5).contiguousStrides());
    assertArrayEquals(new long[0], Shape.of().contiguousStrides());
  }

  @Test
  void equalityIsByExtents() {
    assertEquals(Shape.of(2, 3), Shape.of(2, 3));
    assertEquals(Shape.of(2, 3).hashCode(), Shape.of(2, 3).hashCode());
    assertNotEquals(Shape.of(2, 3), Shape.of(3, 2));
    assertNotEquals(Shape.of(6), Shape.of(2, 3));
  }

  @Test
  void itCannotBeChangedFromOutside() {
    long[] extents = {2, 3};
    Shape shape = Shape.of(extents);
    extents[0] = 9;
    shape.extents()[1] = 9;
    assertEquals(Shape.of(2, 3), shape);
  }

  @Test
  void refusesNegativeAndOverflowingExtents() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> Shape.of(2, -1)).getMessage();
    assertTrue(message.contains("-1") && message.contains("[2, -1]"), message);
    assertThrows(ArithmeticException.class, () -> Shape.of(1L << 40, 1L << 40));
  }
}
