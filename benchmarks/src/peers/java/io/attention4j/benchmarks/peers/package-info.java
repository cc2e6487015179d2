/** Other engines, in builds with the Maven profile {@code peers}. */
package io.attention4j.benchmarks.peers;
