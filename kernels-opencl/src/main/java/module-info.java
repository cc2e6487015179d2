/** OpenCL kernels through JOCL. */
module io.attention4j.kernels.opencl {
  requires transitive io.attention4j.engine;
  requires jocl;

  exports io.attention4j.kernels.opencl;

  provides io.attention4j.engine.spi.KernelProvider with
      io.attention4j.kernels.opencl.OpenClProvider;
}
