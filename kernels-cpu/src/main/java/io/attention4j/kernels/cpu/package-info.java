/** SIMD kernels for the CPU (jdk.incubator.vector) and their scalar fallback. */
package io.attention4j.kernels.cpu;
