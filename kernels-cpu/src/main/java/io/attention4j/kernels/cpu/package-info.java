/**
 * The CPU providers: {@link io.attention4j.kernels.cpu.SimdProvider} (id "cpu.simd") and its
 * fallback {@link io.attention4j.kernels.cpu.ScalarProvider} (id "cpu.scalar"). Nothing in this
 * package links to jdk.incubator.vector, so it loads in a JVM that was started without it.
 */
package io.attention4j.kernels.cpu;
