/** Native memory in the pages that suit it. */
package io.attention4j.kernels.cpu.memory;
