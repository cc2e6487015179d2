package io.attention4j.engine.spi;

import io.attention4j.engine.attention.AttentionBatch;
import io.attention4j.engine.attention.AttentionInputs;
import io.attention4j.engine.attention.AttentionOutputs;

/** A compiled attention spec with its scratch memory; used by one thread at a time. */
public interface AttentionPlan extends AutoCloseable {
  /**
   * Attends the rows of the batch. Cuts the work over the device's threads; results do not depend
   * on their number. Allocates nothing once buffers have grown to the batch.
   *
   * @throws IllegalArgumentException if shapes, formats or selection do not match the spec; names
   *     both
   */
  void run(AttentionBatch batch, AttentionInputs in, AttentionOutputs out);

  @Override
  void close();
}
