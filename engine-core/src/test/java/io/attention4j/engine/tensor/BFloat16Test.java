package io.attention4j.engine.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class BFloat16Test {
  @Test
  void everyWordSurvivesTheRoundTrip() {
    for (int word = 0; word < 1 << 16; word++) {
      float value = BFloat16.toFloat((short) word);
      short back = BFloat16.fromFloat(value);
      if (Float.isNaN(value)) {
        assertTrue(Float.isNaN(BFloat16.toFloat(back)));
      } else {
        assertEquals((short) word, back);
      }
    }
  }

  @Test
  void tiesGoToTheEvenWord() {
    assertEquals((short) 0x3f80, BFloat16.fromFloat(Float.intBitsToFloat(0x3f808000)));
    assertEquals((short) 0x3f82, BFloat16.fromFloat(Float.intBitsToFloat(0x3f818000)));
    assertEquals((short) 0x3f81, BFloat16.fromFloat(Float.intBitsToFloat(0x3f808001)));
    assertEquals((short) 0x3f80, BFloat16.fromFloat(Float.intBitsToFloat(0x3f807fff)));
    assertEquals((short) 0xbf82, BFloat16.fromFloat(Float.intBitsToFloat(0xbf818000)));
  }

  @Test
  void keepsSubnormalsAndOverflowsToInfinity() {
    assertEquals((short) 1, BFloat16.fromFloat(Float.intBitsToFloat(0x00010000)));
    assertEquals((short) 0x8000, BFloat16.fromFloat(-Float.MIN_VALUE));
    assertEquals((short) 0x7f80, BFloat16.fromFloat(Float.MAX_VALUE));
    assertEquals((short) 0xff80, BFloat16.fromFloat(Float.NEGATIVE_INFINITY));
  }

  @Test
  void notANumberStaysOne() {
    // Its payload lies wholly in the bits that are cut off.
    float nan = Float.intBitsToFloat(0xff800001);
    assertTrue(Float.isNaN(BFloat16.toFloat(BFloat16.fromFloat(nan))));
    assertTrue(BFloat16.fromFloat(nan) < 0);
  }
}
