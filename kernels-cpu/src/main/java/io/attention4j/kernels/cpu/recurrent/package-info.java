/** Recurrences head by head: what the scalar and the vector kernels have in common. */
package io.attention4j.kernels.cpu.recurrent;
