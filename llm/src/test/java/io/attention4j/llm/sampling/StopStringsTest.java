package io.attention4j.llm.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class StopStringsTest {
  /** Against indexOf on the whole text, over few letters so that prefixes and overlaps abound. */
  @Test
  void anyCutOfTheTextGivesWhatIndexOfGives() {
    SplittableRandom random = new SplittableRandom(11);
    int stopped = 0;
    for (int round = 0; round < 20_000; round++) {
      List<String> stops = new ArrayList<>();
      for (int i = random.nextInt(4); i > 0; i--) {
        stops.add(letters(random, random.nextInt(1, 6)));
      }
      String text = letters(random, random.nextInt(40));
      int end = Integer.MAX_VALUE;
      String first = null;
      for (String stop : stops) {
        int at = text.indexOf(stop);
        int stopEnd = at + stop.length();
        if (at >= 0 && (stopEnd < end || stopEnd == end && stop.length() > first.length())) {
          end = stopEnd;
          first = stop;
        }
      }
      String expected = first == null ? text : text.substring(0, end - first.length());

      StopStrings matcher = new StopStrings(stops);
      StringBuilder given = new StringBuilder();
      for (int at = 0; at < text.length() && matcher.matched().isEmpty(); ) {
        int to = Math.min(text.length(), at + random.nextInt(5));
        given.append(matcher.accept(text.substring(at, to)));
        at = to;
        assertTrue(expected.startsWith(given.toString()), "gave out " + given + " of " + expected);
        if (matcher.matched().isEmpty()) {
          assertHeldBackIsMinimal(stops, text.substring(0, at), given.toString());
        }
      }
      if (matcher.matched().isEmpty()) {
        given.append(matcher.finish());
      }
      assertEquals(expected, given.toString(), stops + " in " + text);
      assertEquals(Optional.ofNullable(first), matcher.matched());
      stopped += first == null ? 0 : 1;
    }
    assertTrue(stopped > 2000, "only " + stopped + " rounds stopped");
  }

  private static void assertHeldBackIsMinimal(List<String> stops, String seen, String given) {
    int keep = 0;
    for (String stop : stops) {
      for (int n = 1; n < stop.length(); n++) {
        if (seen.endsWith(stop.substring(0, n))) {
          keep = Math.max(keep, n);
        }
      }
    }
    assertEquals(seen.length() - keep, given.length());
  }

  private static String letters(SplittableRandom random, int length) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < length; i++) {
      text.append((char) ('a' + random.nextInt(2)));
    }
    return text.toString();
  }

  @Test
  void stopInsideAPieceAndAcrossSurrogates() {
    StopStrings matcher = new StopStrings(List.of("\ud83d\ude80", "END"));
    assertEquals("a", matcher.accept("a\ud83d"));
    assertEquals("\ud83d\ude81b", matcher.accept("\ud83d\ude81bEN".substring(1)));
    assertEquals("ENx", matcher.accept("x\ud83d"));
    assertEquals("", matcher.accept("\ude80 never"));
    assertEquals(Optional.of("\ud83d\ude80"), matcher.matched());
    assertThrows(IllegalStateException.class, () -> matcher.accept("more"));
  }

  @Test
  void emptyStopsAreRefused() {
    assertTrue(
        assertThrows(IllegalArgumentException.class, () -> new StopStrings(List.of("a", "")))
            .getMessage()
            .contains("stop string 1 is empty"));
  }
}
