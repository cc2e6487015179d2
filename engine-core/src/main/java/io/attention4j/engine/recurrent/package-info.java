/**
 * Attention with constant state, in the vocabulary of the Dynamical Systems Framework (Sieber et
 * al. 2024, arXiv 2405.15731): every operator is a {@link DynamicalSystem} of time-varying
 * coefficients Lambda, B, C and D, and a system runs token by token ({@link Recurrence}), in chunks
 * ({@link ChunkedScan}) or, where Lambda is diagonal, as a matrix ({@link QuadraticForm}). One file
 * per operator; everything is float64 and plain loops, one head at a time: the oracle of kernels.
 */
package io.attention4j.engine.recurrent;
