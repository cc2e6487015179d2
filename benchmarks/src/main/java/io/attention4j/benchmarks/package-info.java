/** Benchmarks: JMH, peers side by side, reports. */
package io.attention4j.benchmarks;
