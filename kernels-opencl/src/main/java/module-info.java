/** OpenCL kernels through JOCL. */
module io.attention4j.kernels.opencl {
  requires transitive io.attention4j.engine;
}
