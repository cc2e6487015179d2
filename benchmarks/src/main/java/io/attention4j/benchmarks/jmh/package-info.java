/** JMH benchmarks of single kernels. */
package io.attention4j.benchmarks.jmh;
