/** {@code attention4j-bench attention}: attention kernels against the machine and the peers. */
package io.attention4j.benchmarks.attention;
