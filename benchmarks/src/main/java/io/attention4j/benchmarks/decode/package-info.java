/** {@code attention4j-bench decode}: whole models against the machine and llama.cpp. */
package io.attention4j.benchmarks.decode;
