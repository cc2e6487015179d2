package io.attention4j.kvcache;

import io.attention4j.engine.attention.KvFormat;
import io.attention4j.engine.attention.KvFormat.Grouped;
import io.attention4j.engine.operator.OptionSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * How many bits a page's numbers have by its distance from the newest token: level 0 holds the
 * newest tokens in F16, level i the pages all of whose tokens are at least {@code from[i]} tokens
 * old in {@code bits[i]} bits. KIVI (Liu et al. 2024, arXiv 2402.02750) has two levels, the
 * staircase of SAQ (Li 2024, arXiv 2410.18441) has more.
 *
 * <p>Ours, where the sources differ or say nothing: keys and values change with their page, so that
 * both keep between {@code from[1]} and a page more tokens in F16 (KIVI keeps exactly its residual
 * of values, and of keys up to that many); and levels, and the layers of a model within each, take
 * turns while a page fills ({@link #ofLayer}), so that a token brings one page per head at most and
 * not one per level and layer.
 *
 * @param bits of each level; 16 first, then fewer and fewer
 * @param from tokens after a page's last from which it is in each level; 0 first, then more
 * @param group numbers that share a step and a minimum
 */
record BitSchedule(List<Integer> bits, List<Integer> from, int group) {
  /** KIVI's codec. */
  static final String KIVI = "kivi";

  /** The staircase. */
  static final String SAQ = "saq";

  /** Both. */
  static final Set<String> NAMES = Set.of(KIVI, SAQ);

  private static final String LEVELS = "16@128,8@1024,4@8192,2";
  private static final int MOST_TOKENS = 1 << 30;

  /**
   * Reads {@code kivi:bits=2;residual=128;group=32} or {@code
   * saq:levels=16@128,8@1024,4@8192,2;group=32}.
   *
   * @throws IllegalArgumentException naming the setting that has no meaning
   */
  static BitSchedule parse(OptionSpec option) {
    if (option.name().equals(KIVI)) {
      option.allow("bits", "residual", "group");
      int bits = option.integer("bits", 2, 2, 8);
      requireBits(option, "bits=" + bits, bits);
      int residual = option.integer("residual", 128, 0, MOST_TOKENS);
      return new BitSchedule(List.of(16, bits), List.of(0, residual), group(option));
    }
    option.allow("levels", "group");
    String text = option.text("levels", LEVELS);
    List<Integer> bits = new ArrayList<>();
    List<Integer> from = new ArrayList<>(List.of(0));
    String[] levels = text.split(",", -1);
    for (int i = 0; i < levels.length; i++) {
      String[] parts = levels[i].split("@", -1);
      boolean last = i + 1 == levels.length;
      if (parts.length != (last ? 1 : 2)) {
        throw refused(
            option, "level '" + levels[i] + "' must be " + (last ? "BITS" : "BITS@TOKENS"));
      }
      int width = number(option, levels[i], parts[0]);
      if (i == 0 && width != 16) {
        throw refused(option, "the newest level must have 16 bits, not " + width);
      }
      if (i > 0) {
        requireBits(option, "level '" + levels[i] + "'", width);
        if (width >= bits.get(i - 1)) {
          throw refused(
              option, "level '" + levels[i] + "' must have fewer bits than the one before");
        }
      }
      bits.add(width);
      if (!last) {
        int tokens = number(option, levels[i], parts[1]);
        if (tokens <= from.get(i) && i > 0 || tokens > MOST_TOKENS) {
          throw refused(
              option,
              "level '"
                  + levels[i]
                  + "' must end further back than the one before, at most "
                  + MOST_TOKENS
                  + " tokens");
        }
        from.add(tokens);
      }
    }
    return new BitSchedule(List.copyOf(bits), List.copyOf(from), group(option));
  }

  private static int group(OptionSpec option) {
    int group = option.integer("group", 32, 32, 128);
    if (Integer.bitCount(group) != 1) {
      throw refused(option, "group=" + group + " must be 32, 64 or 128");
    }
    return group;
  }

  private static void requireBits(OptionSpec option, String what, int bits) {
    if (bits != 2 && bits != 4 && bits != 8) {
      throw refused(option, what + " must be 2, 4 or 8 bits");
    }
  }

  private static int number(OptionSpec option, String level, String text) {
    try {
      int value = Integer.parseInt(text);
      if (value >= 0) {
        return value;
      }
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "KV codec '" + option + "': '" + text + "' in level '" + level + "' is not a number", e);
    }
    throw refused(option, "'" + text + "' in level '" + level + "' is negative");
  }

  private static IllegalArgumentException refused(OptionSpec option, String reason) {
    return new IllegalArgumentException("KV codec '" + option + "': " + reason);
  }

  /**
   * The schedule of one layer of a model of so many, over pages of this size: a page's tokens are
   * shared out to the older levels, a level's share to the layers, and each level begins at its
   * turn, less than a page later (two, where levels are closer than that).
   */
  BitSchedule ofLayer(int layer, int layers, int pageTokens) {
    List<Integer> turns = new ArrayList<>(List.of(0));
    for (int level = 1; level < levels(); level++) {
      double turn = level - 1 + layer % layers / (double) layers;
      int begin = from.get(1) + (int) (turn * pageTokens / (levels() - 1));
      int earliest = Math.max(from.get(level), turns.getLast());
      turns.add(earliest + Math.floorMod(begin - earliest, pageTokens));
    }
    return new BitSchedule(bits, turns, group);
  }

  /** Number of levels. */
  int levels() {
    return bits.size();
  }

  /** Pages, counted from the first, that are at least in a level (1 or more) at a length. */
  int pages(int level, long length, int pageTokens) {
    return (int) Math.max(0, Math.floorDiv(length - from.get(level), pageTokens));
  }

  /** Level of a page at a length. */
  int level(int page, long length, int pageTokens) {
    int level = levels() - 1;
    while (level > 0 && page >= pages(level, length, pageTokens)) {
      level--;
    }
    return level;
  }

  /** How keys of a level are stored. */
  KvFormat keys(int level) {
    return level == 0 ? KvFormat.F16 : older(level, Grouped.Axis.CHANNEL);
  }

  /** How values of a level are stored. */
  KvFormat values(int level) {
    return level == 0 ? KvFormat.F16 : older(level, Grouped.Axis.TOKEN);
  }

  private Grouped older(int level, Grouped.Axis axis) {
    return new Grouped(bits.get(level), axis, group);
  }

  /** How keys, or values, of all levels are stored. */
  KvFormat.Staircase staircase(Grouped.Axis axis) {
    List<Grouped> older = new ArrayList<>();
    for (int level = 1; level < levels(); level++) {
      older.add(older(level, axis));
    }
    return new KvFormat.Staircase((KvFormat.Plain) KvFormat.F16, older);
  }
}
