package io.attention4j.engine.attention;

import io.attention4j.engine.tensor.Tensor;

/**
 * What one layer reads.
 *
 * @param q F32 [&gt;= totalRows, queryHeads, headDim]; outer strides are free, the innermost is 1
 * @param kv pages of every (sequence, KV head) of the batch
 * @param selection of the kind that the spec names
 */
public record AttentionInputs(Tensor q, PagedKv kv, Selection selection) {}
