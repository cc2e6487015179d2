/** The kernels of cpu.scalar: plain loops, also the readable form of the vector kernels. */
package io.attention4j.kernels.cpu.scalar;
