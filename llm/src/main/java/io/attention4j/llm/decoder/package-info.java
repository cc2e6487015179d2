/**
 * The decoder: one forward pass for all architectures, and the scheduler through which sessions
 * share it. Everything is computed by kernels of the chosen device. Not exported.
 */
package io.attention4j.llm.decoder;
