/** {@code linear}: scans with a state of constant size beside the machine and beside softmax. */
package io.attention4j.benchmarks.recurrent;
