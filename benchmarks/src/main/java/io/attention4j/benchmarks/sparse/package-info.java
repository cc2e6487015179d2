/** Cost and quality of the sparse attention operators beside dense attention. */
package io.attention4j.benchmarks.sparse;
