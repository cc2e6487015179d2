package io.attention4j.kernels.opencl;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.jocl.CL;
import org.jocl.Pointer;
import org.jocl.cl_device_id;
import org.jocl.cl_platform_id;

/**
 * A device that an OpenCL platform offers, with what kernels need to know of it.
 *
 * @param platform owner of the device
 * @param id handle
 * @param name as the driver gives it
 * @param version of OpenCL, such as "OpenCL 1.2 pocl"
 * @param driver version of the driver
 * @param kind GPU, ACCELERATOR or CPU
 * @param computeUnits of the device
 * @param globalBytes of memory
 * @param allocationBytes of the largest buffer
 * @param localBytes of memory that a work group shares
 * @param groupSize most work items of a work group
 */
record ClDevice(
    cl_platform_id platform,
    cl_device_id id,
    String name,
    String version,
    String driver,
    Kind kind,
    int computeUnits,
    long globalBytes,
    long allocationBytes,
    long localBytes,
    long groupSize) {

  /** System property that chooses: a kind ("gpu"), a part of the name, or a number from 0. */
  static final String PROPERTY = "attention4j.opencl.device";

  /** Environment variable that chooses where the property is unset. */
  static final String ENVIRONMENT = "ATTENTION4J_OPENCL_DEVICE";

  private static final String INSTALL =
      "; install the driver of the GPU, or for the CPU: apt-get install pocl-opencl-icd"
          + " ocl-icd-opencl-dev";

  /** Smallest work group and local memory that the kernels are written for. */
  private static final int NEEDED_GROUP = 64;

  private static final int NEEDED_LOCAL_BYTES = 16 << 10;

  /** Kinds in the order of preference. */
  enum Kind {
    GPU,
    ACCELERATOR,
    CPU
  }

  /** Says why there is no device, and what to do. */
  static final class NotFound extends Exception {
    private static final long serialVersionUID = 1;

    NotFound(String reason, Throwable cause) {
      super(reason, cause);
    }
  }

  /** The device that the property or the environment names, else the first of {@link #all}. */
  static ClDevice choose() throws NotFound {
    String wanted = System.getProperty(PROPERTY, System.getenv(ENVIRONMENT));
    return choose(wanted == null ? "" : wanted.strip(), all());
  }

  /** The first device that fits; an empty wish fits all. */
  static ClDevice choose(String wanted, List<ClDevice> devices) throws NotFound {
    for (int i = 0; i < devices.size(); i++) {
      if (devices.get(i).fits(wanted, i)) {
        return devices.get(i);
      }
    }
    StringBuilder known = new StringBuilder();
    for (int i = 0; i < devices.size(); i++) {
      ClDevice device = devices.get(i);
      known.append(i == 0 ? "" : ", ").append(i).append(" = ").append(device.name);
      known.append(" (").append(device.kind).append(")");
    }
    throw new NotFound(
        "no OpenCL device is '"
            + wanted
            + "', which "
            + PROPERTY
            + " or "
            + ENVIRONMENT
            + " asks for; there are "
            + known,
        null);
  }

  private boolean fits(String wanted, int index) {
    String wish = wanted.toLowerCase(Locale.ROOT);
    return wish.isEmpty()
        || wish.equals(Integer.toString(index))
        || wish.equals(kind.name().toLowerCase(Locale.ROOT))
        || !wish.matches("\\d+|gpu|accelerator|cpu")
            && name.toLowerCase(Locale.ROOT).contains(wish);
  }

  /** All usable devices, GPUs first; at least one. */
  static List<ClDevice> all() throws NotFound {
    List<ClDevice> usable = new ArrayList<>();
    List<String> refused = new ArrayList<>();
    try {
      for (cl_platform_id platform : platforms()) {
        for (cl_device_id id : devices(platform)) {
          ClDevice device = describe(platform, id);
          String problem = device.problem();
          if (problem == null) {
            usable.add(device);
          } else {
            refused.add(device.name + ": " + problem);
          }
        }
      }
    } catch (LinkageError | UnsupportedOperationException e) {
      // JOCL throws these where its own library or libOpenCL.so cannot be loaded.
      throw new NotFound("there is no OpenCL library (" + firstLine(e) + ")" + INSTALL, e);
    } catch (IllegalStateException e) {
      throw new NotFound("OpenCL does not answer (" + e.getMessage() + ")" + INSTALL, e);
    }
    if (usable.isEmpty()) {
      throw new NotFound(
          "there is no usable OpenCL device"
              + (refused.isEmpty() ? "" : " (" + String.join("; ", refused) + ")")
              + INSTALL,
          null);
    }
    usable.sort(Comparator.comparing(ClDevice::kind));
    return usable;
  }

  private static String firstLine(Throwable e) {
    String message = String.valueOf(e.getMessage()).strip();
    return message.lines().findFirst().orElse(e.getClass().getSimpleName());
  }

  private static cl_platform_id[] platforms() throws NotFound {
    int[] count = new int[1];
    int status = CL.clGetPlatformIDs(0, null, count);
    if (status != CL.CL_SUCCESS || count[0] == 0) {
      throw new NotFound("OpenCL has no platform, that is no driver" + INSTALL, null);
    }
    cl_platform_id[] platforms = new cl_platform_id[count[0]];
    ClCalls.require(CL.clGetPlatformIDs(count[0], platforms, null), "clGetPlatformIDs");
    return platforms;
  }

  private static cl_device_id[] devices(cl_platform_id platform) {
    int[] count = new int[1];
    int status = CL.clGetDeviceIDs(platform, CL.CL_DEVICE_TYPE_ALL, 0, null, count);
    if (status == CL.CL_DEVICE_NOT_FOUND || count[0] == 0) {
      return new cl_device_id[0];
    }
    ClCalls.require(status, "clGetDeviceIDs");
    cl_device_id[] devices = new cl_device_id[count[0]];
    ClCalls.require(
        CL.clGetDeviceIDs(platform, CL.CL_DEVICE_TYPE_ALL, count[0], devices, null),
        "clGetDeviceIDs");
    return devices;
  }

  private static ClDevice describe(cl_platform_id platform, cl_device_id id) {
    long type = number(id, CL.CL_DEVICE_TYPE);
    Kind kind =
        (type & CL.CL_DEVICE_TYPE_GPU) != 0
            ? Kind.GPU
            : (type & CL.CL_DEVICE_TYPE_CPU) != 0 ? Kind.CPU : Kind.ACCELERATOR;
    return new ClDevice(
        platform,
        id,
        text(id, CL.CL_DEVICE_NAME),
        text(id, CL.CL_DEVICE_VERSION),
        text(id, CL.CL_DRIVER_VERSION),
        kind,
        (int) number(id, CL.CL_DEVICE_MAX_COMPUTE_UNITS),
        number(id, CL.CL_DEVICE_GLOBAL_MEM_SIZE),
        number(id, CL.CL_DEVICE_MAX_MEM_ALLOC_SIZE),
        number(id, CL.CL_DEVICE_LOCAL_MEM_SIZE),
        number(id, CL.CL_DEVICE_MAX_WORK_GROUP_SIZE));
  }

  /** Why the kernels cannot run on it, or null. */
  private String problem() {
    if (version.startsWith("OpenCL 1.0") || version.startsWith("OpenCL 1.1")) {
      return "it has " + version + ", not 1.2 or newer";
    }
    if (number(id, CL.CL_DEVICE_COMPILER_AVAILABLE) == 0) {
      return "it has no compiler";
    }
    if (number(id, CL.CL_DEVICE_ENDIAN_LITTLE) == 0) {
      return "it is big-endian";
    }
    if (groupSize < NEEDED_GROUP || localBytes < NEEDED_LOCAL_BYTES) {
      return "work groups of "
          + groupSize
          + " items with "
          + localBytes
          + " bytes are less than "
          + NEEDED_GROUP
          + " with "
          + NEEDED_LOCAL_BYTES;
    }
    return null;
  }

  private static long number(cl_device_id id, int what) {
    // Answers are of 4 or 8 bytes; the upper ones stay 0.
    ByteBuffer value = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder());
    int status = CL.clGetDeviceInfo(id, what, 8, Pointer.to(value), null);
    ClCalls.require(status, "clGetDeviceInfo");
    return value.getLong(0);
  }

  private static String text(cl_device_id id, int what) {
    long[] size = new long[1];
    ClCalls.require(CL.clGetDeviceInfo(id, what, 0, null, size), "clGetDeviceInfo");
    byte[] bytes = new byte[(int) size[0]];
    ClCalls.require(
        CL.clGetDeviceInfo(id, what, size[0], Pointer.to(bytes), null), "clGetDeviceInfo");
    return new String(bytes, StandardCharsets.UTF_8).replace("\0", "").strip();
  }

  /** One line for people: name, kind, memory and versions. */
  String description() {
    return String.format(
        Locale.ROOT,
        "%s (%s, %d compute units, %.1f GiB, %d KiB local, %s, driver %s)",
        name,
        kind,
        computeUnits,
        globalBytes / (double) (1L << 30),
        localBytes >> 10,
        version,
        driver);
  }
}
