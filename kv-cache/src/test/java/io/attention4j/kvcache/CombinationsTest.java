package io.attention4j.kvcache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.attention4j.engine.operator.LayerState;
import io.attention4j.kvcache.policy.Policies;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every policy with every codec in every tier: it decodes what it decodes in memory, bit for bit,
 * or is refused with a sentence before there is a cache.
 */
class CombinationsTest {
  private static final int PROMPT = 150;
  private static final int DECODED = 12;
  private static final int HEAD_DIM = 32;

  private static final Map<String, String> POLICIES = new TreeMap<>();
  private static final List<String> WIDE = List.of("f32", "f16", "bf16", "q8", "q4");
  private static final List<String> STAIRCASES =
      List.of("kivi:residual=0", "saq:levels=16@0,8@60,4");
  private static final List<String> TIERS =
      List.of("memory", "file:dir=DIR", "offload:dir=DIR;slots=1");

  /** Policies that leave all pages as they were written. */
  private static final Set<String> WHOLE = Set.of(Policies.FULL, "quest", "nosa", "specpc");

  @TempDir private static Path folder;

  static {
    POLICIES.put("full", "full");
    POLICIES.put("window", "window:keep=0.3");
    POLICIES.put("sink-window", "sink-window:tokens=40");
    POLICIES.put("razor", "razor:file=HEADS;buffer=12;compression=6;induction=0.5;echo=0");
    POLICIES.put("duo", "duo:file=HEADS;heads=0.5;sinks=2;recent=9");
    POLICIES.put("snapkv", "snapkv:keep=0.3;window=8;interval=4");
    POLICIES.put("pyramidkv", "pyramidkv:keep=0.3;window=8");
    POLICIES.put("adakv", "adakv:keep=0.3;window=8");
    POLICIES.put("tova", "tova:keep=0.3");
    POLICIES.put("h2o", "h2o:keep=0.3");
    POLICIES.put("expected-attention", "expected-attention:keep=0.3");
    POLICIES.put("speckv", "speckv:keep=0.3;window=8");
    POLICIES.put("specpc", "specpc:keep=0.3;window=8");
    POLICIES.put("quest", "quest:tokens=64");
    POLICIES.put("nosa", "nosa:block=64;gate=gates");
  }

  @BeforeAll
  static void writeHeads() throws IOException {
    Files.writeString(folder.resolve("heads"), "[induction]\n0.1 0.7\n[echo]\n0 0\n");
  }

  static Stream<String> policies() {
    return POLICIES.keySet().stream();
  }

  private static PolicyRun open(String policy, String codec, String tier) {
    String option =
        POLICIES.get(policy).replace("HEADS", folder.resolve("heads").toString())
            + "+"
            + codec
            + "+"
            + tier.replace("DIR", folder.toString());
    return new PolicyRun(option, 4, 2, HEAD_DIM);
  }

  /** Outputs of a prompt in chunks, of decoding, and of decoding in a fork. */
  private static List<float[]> outputs(PolicyRun run) {
    LayerState state = run.newState();
    List<float[]> all = new ArrayList<>(run.run(state, PROMPT, 64, DECODED));
    LayerState fork = run.keep(state.fork());
    all.addAll(run.decode(state, PROMPT + DECODED, PROMPT + DECODED + 3));
    all.addAll(run.decode(fork, PROMPT + DECODED, PROMPT + DECODED + 3));
    return all;
  }

  private static boolean isMeaningful(String policy, String codec, String tier) {
    boolean staircase = STAIRCASES.contains(codec);
    boolean untouched = policy.equals("full") || policy.equals("specpc");
    return (!staircase || untouched)
        && (!tier.startsWith("offload") || WHOLE.contains(policy) && !staircase);
  }

  @ParameterizedTest
  @MethodSource("policies")
  void worksAsInMemoryOrSaysWhyNot(String policy) {
    List<String> codecs = new ArrayList<>(WIDE);
    codecs.addAll(STAIRCASES);
    int worked = 0;
    for (String codec : codecs) {
      List<float[]> expected = null;
      for (String tier : TIERS) {
        String name = policy + "+" + codec + "+" + tier;
        if (!isMeaningful(policy, codec, tier)) {
          String reason =
              assertThrows(
                      IllegalArgumentException.class, () -> open(policy, codec, tier).close(), name)
                  .getMessage();
          assertTrue(reason.contains("; use "), reason);
          assertTrue(
              reason.contains("'offload'") || reason.contains(codec.replaceAll(":.*", "")), reason);
          continue;
        }
        try (PolicyRun run = open(policy, codec, tier)) {
          List<float[]> actual = outputs(run);
          if (expected == null) {
            expected = actual;
          }
          assertEquals(expected.size(), actual.size());
          for (int row = 0; row < actual.size(); row++) {
            assertArrayEquals(expected.get(row), actual.get(row), name + ", row " + row);
          }
          worked++;
        }
      }
    }
    int whole = policy.equals("full") || policy.equals("specpc") ? 2 * STAIRCASES.size() : 0;
    assertEquals(WIDE.size() * (WHOLE.contains(policy) ? 3 : 2) + whole, worked);
  }

  /** A name that is new somewhere is missing here. */
  @Test
  void noNameIsLeftOut() {
    Set<String> tried = new TreeSet<>(POLICIES.keySet());
    for (List<String> options : List.of(WIDE, STAIRCASES, TIERS)) {
      options.forEach(option -> tried.add(option.replaceAll(":.*", "")));
    }
    Set<String> known = new HashSet<>(CacheOption.names());
    known.removeAll(Set.of("paged", "contiguous"));
    assertEquals(known, tried);
  }
}
