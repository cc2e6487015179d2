/**
 * What the row-wise kernels of both CPU providers share: argument checks, the cut of the work over
 * the workers, and the kernels that only convert. A provider adds the loops.
 */
package io.attention4j.kernels.cpu.rows;
