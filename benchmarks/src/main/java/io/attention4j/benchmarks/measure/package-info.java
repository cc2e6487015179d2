/** Timing by interleaved rounds, and the statistics of them. */
package io.attention4j.benchmarks.measure;
