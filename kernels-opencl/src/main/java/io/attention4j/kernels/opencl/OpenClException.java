package io.attention4j.kernels.opencl;

/** What an OpenCL device or its driver would not do; the message names the remedy. */
public final class OpenClException extends IllegalStateException {
  private static final long serialVersionUID = 1;

  /** What went wrong. */
  public enum Fault {
    /** There is no usable device. */
    NO_DEVICE,
    /** The device stopped working; everything on it is gone. */
    DEVICE_LOST,
    /** Memory does not fit the device or its budget. */
    OUT_OF_MEMORY,
    /** The driver's compiler refused a kernel. */
    BUILD_FAILED,
    /** Any other call that the driver refused. */
    CALL_FAILED
  }

  private final Fault fault;

  OpenClException(Fault fault, String message, Throwable cause) {
    super(message, cause);
    this.fault = fault;
  }

  /** What went wrong. */
  public Fault fault() {
    return fault;
  }
}
