package io.attention4j.benchmarks.peer;

/** An attention kernel of another engine in this JVM. */
public interface AttentionPeer {
  /**
   * One call's sizes.
   *
   * @param heads query and KV heads
   * @param length rows and keys
   * @param headDim elements of a head
   * @param causal whether a row sees earlier keys only
   */
  record Task(int heads, int length, int headDim, boolean causal) {}

  /** A task with its inputs. */
  interface Run extends AutoCloseable {
    /** Attends once. */
    void run();

    /** The last result as [heads, length, headDim]. */
    float[] output();

    @Override
    void close();
  }

  /** Engine and kernel, for tables. */
  String name();

  /**
   * Prepares a task.
   *
   * @param q [heads, length, headDim], like k and v
   * @throws IllegalStateException if the engine refuses; says why
   */
  Run open(Task task, float[] q, float[] k, float[] v);
}
