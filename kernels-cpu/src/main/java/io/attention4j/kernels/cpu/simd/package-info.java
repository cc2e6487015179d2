/**
 * Vector kernels: the only package that imports jdk.incubator.vector. Loaded only after {@link
 * io.attention4j.kernels.cpu.SimdProvider} found that module. One vector width serves the whole
 * JVM, because C2 compiles vector code well only for species that are static constants.
 */
package io.attention4j.kernels.cpu.simd;
