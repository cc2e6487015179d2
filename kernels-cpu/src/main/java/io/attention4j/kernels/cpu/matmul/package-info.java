/** What the matrix kernels of both CPU providers share: the cut in bands of weight rows. */
package io.attention4j.kernels.cpu.matmul;
