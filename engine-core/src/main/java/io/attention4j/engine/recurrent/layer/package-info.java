/**
 * Whole layers in float64: hidden states in, hidden states out, weights by the names of their
 * papers, and one interface, {@link io.attention4j.engine.recurrent.layer.SequenceLayer}, so that
 * layers of different kinds stand in one stack. Plain loops; the meaning of faster layers, and what
 * the recall benchmark runs on.
 */
package io.attention4j.engine.recurrent.layer;
