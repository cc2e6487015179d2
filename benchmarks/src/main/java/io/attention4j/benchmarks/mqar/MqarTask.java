package io.attention4j.benchmarks.mqar;

import java.util.Arrays;
import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Multi-query associative recall (Arora et al. 2023, arXiv 2312.04927): key-value pairs, then each
 * key once more, at which the value is asked.
 *
 * @param vocabulary token ids, more than length; keys are below the middle, values from there on
 * @param length tokens of an example, even
 * @param pairs key-value pairs
 * @param power a: the i-th place after the pairs is drawn with a weight of i^(a - 1); 0.01 in the
 *     paper, 1 is uniform
 * @param passes how often the pairs are shown
 * @param randomFiller whether the other tokens are random ids rather than 0
 * @param seed of everything random
 */
public record MqarTask(
    int vocabulary,
    int length,
    int pairs,
    double power,
    int passes,
    boolean randomFiller,
    long seed) {
  /** A label where nothing is asked. */
  public static final int IGNORED = -100;

  /** Token ids and what is asked after them; {@link #IGNORED} where nothing is. */
  public record Example(int[] inputs, int[] labels) {}

  /** Checks that an example has room. */
  public MqarTask {
    if (vocabulary <= length || length % 2 != 0 || pairs < 1 || passes < 1 || !(power > 0)) {
      throw new IllegalArgumentException(
          "MQAR needs a vocabulary above its length, an even length, at least one pair and pass and"
              + " a power above 0, not vocabulary "
              + vocabulary
              + ", length "
              + length
              + ", pairs "
              + pairs
              + ", passes "
              + passes
              + " and power "
              + power);
    }
    if (2L * pairs * passes + 2L * pairs > length || pairs > vocabulary / 2 - 1) {
      throw new IllegalArgumentException(
          pairs
              + " pairs shown "
              + passes
              + " times and asked once do not fit "
              + length
              + " tokens and "
              + vocabulary
              + " ids; use fewer pairs");
    }
  }

  /** The paper's setting of a length and number of pairs. */
  public static MqarTask of(int length, int pairs, long seed) {
    return new MqarTask(8192, length, pairs, 0.01, 1, false, seed);
  }

  /** Tokens before the first question. */
  public int contextTokens() {
    return 2 * pairs * passes;
  }

  /** The i-th example; the same one for the same task. */
  public Example example(int index) {
    SplittableRandom random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + index);
    int middle = vocabulary / 2;
    int[] keys = distinct(random, 1, middle);
    int[] values = distinct(random, middle, vocabulary);
    int[] inputs = new int[length];
    int[] labels = new int[length];
    Arrays.fill(labels, IGNORED);
    for (int i = 0; i < contextTokens(); i++) {
      inputs[i] = i % 2 == 0 ? keys[i / 2 % pairs] : values[i / 2 % pairs];
    }
    int[] slots = slots(random);
    boolean[] asked = new boolean[length];
    for (int i = 0; i < pairs; i++) {
      int at = contextTokens() + 2 * slots[i];
      inputs[at] = keys[i];
      labels[at] = values[i];
      asked[at] = true;
    }
    for (int t = contextTokens(); randomFiller && t < length; t++) {
      if (!asked[t]) {
        inputs[t] = random.nextInt(vocabulary);
      }
    }
    return new Example(inputs, labels);
  }

  /** Ids without repetition, by the first steps of a shuffle. */
  private int[] distinct(SplittableRandom random, int from, int to) {
    int[] ids = IntStream.range(from, to).toArray();
    for (int i = 0; i < pairs; i++) {
      int other = i + random.nextInt(ids.length - i);
      int id = ids[other];
      ids[other] = ids[i];
      ids[i] = id;
    }
    return Arrays.copyOf(ids, pairs);
  }

  /**
   * Distinct places, drawn one after the other by their weights: the order of exponential arrival
   * times with these rates is such a draw.
   */
  private int[] slots(SplittableRandom random) {
    int space = (length - contextTokens()) / 2;
    double[] arrival = new double[space];
    for (int j = 0; j < space; j++) {
      arrival[j] = -Math.log(1 - random.nextDouble()) / Math.pow(j + 1, power - 1);
    }
    return IntStream.range(0, space)
        .boxed()
        .sorted(Comparator.comparingDouble(j -> arrival[j]))
        .limit(pairs)
        .mapToInt(Integer::intValue)
        .toArray();
  }
}
