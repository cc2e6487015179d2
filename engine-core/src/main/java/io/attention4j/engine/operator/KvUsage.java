package io.attention4j.engine.operator;

/**
 * What the caches of a {@link KvCache.Factory} take from the machine, memory that caches share
 * counted once.
 *
 * @param memoryBytes memory of this process
 * @param fileBytes files, mapped or read; gone when the caches are
 * @param fetchedBytes read from files since the start; 0 where the system pages a mapping in
 * @param storedBytes written to files since the start; 0 where the system pages a mapping out
 * @param steps times that a cache with files was asked for the keys and values of a step; {@code
 *     fetchedBytes / steps} is the cost of a step of one layer and sequence
 * @param mostFetched most pages that a step of one row fetched for one KV head since all that it
 *     read was fetched for the first time
 */
public record KvUsage(
    long memoryBytes,
    long fileBytes,
    long fetchedBytes,
    long storedBytes,
    long steps,
    int mostFetched) {
  /** Caches that live in memory alone. */
  public static KvUsage inMemory(long bytes) {
    return new KvUsage(bytes, 0, 0, 0, 0, 0);
  }

  /** What the caches of two factories take together. */
  public KvUsage and(KvUsage other) {
    return new KvUsage(
        memoryBytes + other.memoryBytes,
        fileBytes + other.fileBytes,
        fetchedBytes + other.fetchedBytes,
        storedBytes + other.storedBytes,
        steps + other.steps,
        Math.max(mostFetched, other.mostFetched));
  }
}
