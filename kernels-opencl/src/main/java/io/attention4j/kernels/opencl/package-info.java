/** OpenCL kernels for GPUs through JOCL. */
package io.attention4j.kernels.opencl;
