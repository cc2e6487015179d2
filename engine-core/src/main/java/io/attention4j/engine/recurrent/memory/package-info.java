/**
 * Recurrent layers whose state is a small network, trained during the forward pass to recall the
 * values of the keys that went by: Titans and Miras, in float64 and plain loops. {@link
 * io.attention4j.engine.recurrent.memory.OnlineMemory} is one head.
 */
package io.attention4j.engine.recurrent.memory;
