/**
 * OpenCL kernels through JOCL: OpenCL C 1.2, compiled on the device when they are first used.
 * Tensors of this device live in its memory and every kernel works on them there.
 */
package io.attention4j.kernels.opencl;
