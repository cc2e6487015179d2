package io.attention4j.kernels.opencl;

import org.jocl.CL;

/** A call that a driver refused. {@link ClContext} tells its users what it means for them. */
final class ClFailure extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int status;

  ClFailure(String call, int status) {
    super(call + " failed: " + CL.stringFor_errorCode(status));
    this.status = status;
  }

  /** The driver's code, such as CL_OUT_OF_RESOURCES. */
  int status() {
    return status;
  }

  /** Passes if the call succeeded. */
  static void require(int status, String call) {
    if (status != CL.CL_SUCCESS) {
      throw new ClFailure(call, status);
    }
  }

  /** Whether the device cannot have the memory. */
  boolean outOfMemory() {
    return status == CL.CL_MEM_OBJECT_ALLOCATION_FAILURE
        || status == CL.CL_OUT_OF_RESOURCES
        || status == CL.CL_OUT_OF_HOST_MEMORY
        || status == CL.CL_INVALID_BUFFER_SIZE;
  }

  /**
   * Whether the device does no more work: no code says so alone, but none of these leaves a queue
   * that later calls may use. NVIDIA's driver answers -9999 after a fault of the device.
   */
  boolean lost() {
    return status == CL.CL_DEVICE_NOT_AVAILABLE
        || status == CL.CL_OUT_OF_RESOURCES
        || status == CL.CL_INVALID_COMMAND_QUEUE
        || status == CL.CL_INVALID_CONTEXT
        || status == CL.CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST
        || status == -9999;
  }
}
