package io.attention4j.kernels.opencl;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jocl.CL;
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

  /**
   * Whether there may be another driver than PoCL, without loading any: on Linux drivers are listed
   * in a folder. Loading PoCL for nothing costs a start half a second.
   */
  static boolean mayHaveGpu() {
    Path vendors = Path.of("/etc/OpenCL/vendors");
    if (System.getenv("OCL_ICD_VENDORS") != null
        || !System.getProperty("os.name", "").equals("Linux")) {
      return true;
    }
    try (Stream<Path> files = Files.list(vendors)) {
      return files.anyMatch(file -> !file.getFileName().toString().contains("pocl"));
    } catch (IOException e) {
      return false; // no folder, no driver
    }
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
            + ClSettings.DEVICE
            + " or "
            + ClSettings.DEVICE_ENVIRONMENT
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

  /**
   * All usable devices, GPUs first; at least one. One thread at a time: PoCL 3.1 shows no device to
   * a second one while it starts.
   */
  static synchronized List<ClDevice> all(ClApi api) throws NotFound {
    List<ClDevice> usable = new ArrayList<>();
    List<String> refused = new ArrayList<>();
    try {
      cl_platform_id[] platforms = api.platforms();
      if (platforms.length == 0) {
        throw new NotFound("OpenCL has no platform, that is no driver" + INSTALL, null);
      }
      for (cl_platform_id platform : platforms) {
        for (cl_device_id id : api.devices(platform)) {
          ClDevice device = describe(api, platform, id);
          String problem = device.problem(api);
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
    } catch (ClFailure e) {
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

  private static ClDevice describe(ClApi api, cl_platform_id platform, cl_device_id id) {
    long type = api.number(id, CL.CL_DEVICE_TYPE);
    Kind kind =
        (type & CL.CL_DEVICE_TYPE_GPU) != 0
            ? Kind.GPU
            : (type & CL.CL_DEVICE_TYPE_CPU) != 0 ? Kind.CPU : Kind.ACCELERATOR;
    return new ClDevice(
        platform,
        id,
        api.text(id, CL.CL_DEVICE_NAME),
        api.text(id, CL.CL_DEVICE_VERSION),
        api.text(id, CL.CL_DRIVER_VERSION),
        kind,
        (int) api.number(id, CL.CL_DEVICE_MAX_COMPUTE_UNITS),
        api.number(id, CL.CL_DEVICE_GLOBAL_MEM_SIZE),
        api.number(id, CL.CL_DEVICE_MAX_MEM_ALLOC_SIZE),
        api.number(id, CL.CL_DEVICE_LOCAL_MEM_SIZE),
        api.number(id, CL.CL_DEVICE_MAX_WORK_GROUP_SIZE));
  }

  /** Why the kernels cannot run on it, or null. */
  private String problem(ClApi api) {
    if (version.startsWith("OpenCL 1.0") || version.startsWith("OpenCL 1.1")) {
      return "it has " + version + ", not 1.2 or newer";
    }
    if (api.number(id, CL.CL_DEVICE_COMPILER_AVAILABLE) == 0) {
      return "it has no compiler";
    }
    if (api.number(id, CL.CL_DEVICE_ENDIAN_LITTLE) == 0) {
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
