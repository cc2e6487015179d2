/**
 * Recurrences, memories and layers as attention operators of a decoder: {@code docs/operators.md}
 * lists their names and weights.
 */
package io.attention4j.engine.recurrent.operator;
