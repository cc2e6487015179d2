/**
 * The second plug: attention operators, stateful functions of the past that a decoder calls once
 * per layer and step, and the caches and weights they are given. Nothing here knows a model or a
 * machine.
 */
package io.attention4j.engine.operator;
