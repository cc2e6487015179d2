/** Pieces of work for single kernels, through the public kernel API, with their inputs. */
package io.attention4j.benchmarks.kernel;
