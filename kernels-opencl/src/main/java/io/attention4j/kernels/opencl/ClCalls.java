package io.attention4j.kernels.opencl;

import org.jocl.CL;

/** Turns the status codes of OpenCL calls into exceptions. */
final class ClCalls {
  private ClCalls() {}

  /**
   * Passes if the call succeeded.
   *
   * @throws IllegalStateException naming the call and the status
   */
  static void require(int status, String call) {
    if (status != CL.CL_SUCCESS) {
      throw new IllegalStateException(call + " failed: " + CL.stringFor_errorCode(status));
    }
  }
}
