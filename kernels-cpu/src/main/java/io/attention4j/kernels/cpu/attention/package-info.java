/** What the scalar and the vector attention kernels share: compiled masks and the tile table. */
package io.attention4j.kernels.cpu.attention;
