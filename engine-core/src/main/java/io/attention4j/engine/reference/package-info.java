/**
 * The kernels as their formulas: plain loops in float64, one file per kernel, on host memory and
 * one thread. They take every spec, are the oracle that other providers are tested against, and are
 * never chosen automatically.
 */
package io.attention4j.engine.reference;
