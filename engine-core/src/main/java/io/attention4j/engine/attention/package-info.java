/**
 * The vocabulary of attention: what a model fixes ({@link AttentionSpec}), what a step fixes
 * ({@link AttentionBatch}), what a layer reads ({@link AttentionInputs}) and writes ({@link
 * AttentionOutputs}).
 */
package io.attention4j.engine.attention;
