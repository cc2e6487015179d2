package io.attention4j.kvcache.policy;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;

/**
 * Chooses the entries of a layer's heads by score, higher = keep, ties by position (the later
 * stays). Entries with an infinite score always stay.
 */
final class HeadChoice {
  private record Candidate(int head, int entry, double score, long position) {}

  private static final Comparator<Candidate> BEST_FIRST =
      Comparator.comparingDouble(Candidate::score)
          .thenComparingLong(Candidate::position)
          .thenComparingInt(Candidate::head)
          .reversed();

  private HeadChoice() {}

  /** Whether the heads together hold no more than their budget. */
  static boolean fits(KvEntries entries, int budget) {
    long held = 0;
    for (int head = 0; head < entries.kvHeads(); head++) {
      held += entries.count(head);
    }
    return held <= (long) entries.kvHeads() * budget;
  }

  /**
   * Marks what to drop so that the heads hold {@code kvHeads * budget} entries together.
   *
   * @param scores [kvHead][entry]
   * @param safeguard share of the budget that every head gets for its own best entries; the rest
   *     goes to the best of all heads. 1 gives every head the same
   */
  static void decide(
      KvEntries entries, double[][] scores, int budget, double safeguard, Decision out) {
    BitSet[] kept = new BitSet[entries.kvHeads()];
    List<Candidate> pool = new ArrayList<>();
    long room = (long) entries.kvHeads() * budget;
    for (int head = 0; head < kept.length; head++) {
      kept[head] = new BitSet();
      List<Candidate> own = candidates(entries, head, scores[head]);
      own.sort(BEST_FIRST);
      int guaranteed = (int) (safeguard * budget);
      for (int i = 0; i < own.size(); i++) {
        Candidate candidate = own.get(i);
        if (i < guaranteed || candidate.score == Double.POSITIVE_INFINITY) {
          kept[head].set(candidate.entry);
          room--;
        } else {
          pool.add(candidate);
        }
      }
    }
    pool.sort(BEST_FIRST);
    for (int i = 0; i < Math.min(room, pool.size()); i++) {
      kept[pool.get(i).head].set(pool.get(i).entry);
    }
    for (int head = 0; head < kept.length; head++) {
      out.keepOnly(head, kept[head], entries.count(head));
    }
  }

  private static List<Candidate> candidates(KvEntries entries, int head, double[] scores) {
    List<Candidate> all = new ArrayList<>(entries.count(head));
    for (int entry = 0; entry < entries.count(head); entry++) {
      double score = Double.isNaN(scores[entry]) ? Double.NEGATIVE_INFINITY : scores[entry];
      all.add(new Candidate(head, entry, score, entries.position(head, entry)));
    }
    return all;
  }
}
