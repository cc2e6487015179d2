/**
 * Other engines side by side: what they must offer, and the models that they run. The engines
 * themselves are in {@code src/peers} and take part only in builds with the Maven profile {@code
 * peers}.
 */
package io.attention4j.benchmarks.peer;
