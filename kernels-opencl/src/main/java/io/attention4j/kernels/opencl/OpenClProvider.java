package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KernelProvider;

/**
 * The provider {@code opencl}. The automatic choice takes it before the CPU where it finds a GPU; a
 * CPU that speaks OpenCL is used only when it is asked for by name.
 *
 * <p>The device is the one that the system property {@code attention4j.opencl.device} or the
 * environment variable {@code ATTENTION4J_OPENCL_DEVICE} names by kind ("gpu"), part of its name or
 * number; else the first GPU, else the first accelerator, else a CPU. {@code
 * attention4j.opencl.memoryMiB} limits its memory, {@code attention4j.opencl.cache} names the
 * folder of compiled kernels, and {@code attention4j.opencl.profile=true} times every kernel.
 */
public final class OpenClProvider implements KernelProvider {
  /** Id of this provider. */
  public static final String ID = "opencl";

  private final ClApi api;

  /** For ServiceLoader. */
  public OpenClProvider() {
    this(new JoclApi());
  }

  /** A provider of another OpenCL library. */
  OpenClProvider(ClApi api) {
    this.api = api;
  }

  @Override
  public String id() {
    return ID;
  }

  @Override
  public int rank() {
    return 20;
  }

  @Override
  public Availability availability() {
    try {
      return new Availability.Available(choose(ClSettings.read()).description());
    } catch (ClDevice.NotFound e) {
      return new Availability.Unavailable(e.getMessage());
    }
  }

  @Override
  public boolean hostMemory() {
    return false;
  }

  @Override
  public Availability automatic() {
    if (!ClDevice.mayHaveGpu()) {
      return new Availability.Unavailable("no OpenCL driver of a GPU is installed");
    }
    return automatic(ClSettings.read());
  }

  /** Whether the device of these settings is a GPU that has not been lost. */
  Availability automatic(ClSettings settings) {
    try {
      ClDevice device = choose(settings);
      if (device.kind() == ClDevice.Kind.CPU) {
        return new Availability.Unavailable(
            device.name() + " is a CPU, which has faster kernels; ask for opencl to use it");
      }
      String lost = ClLost.reason(device);
      return lost == null
          ? new Availability.Available(device.description())
          : new Availability.Unavailable(lost);
    } catch (ClDevice.NotFound e) {
      return new Availability.Unavailable(e.getMessage());
    }
  }

  @Override
  public Device open(DeviceOptions options) {
    return openDevice(ClSettings.read());
  }

  /** The device that the settings name. */
  ClDevice choose(ClSettings settings) throws ClDevice.NotFound {
    return ClDevice.choose(settings.device(), ClDevice.all(api));
  }

  OpenClDevice openDevice(ClSettings settings) {
    try {
      return new OpenClDevice(new ClContext(api, choose(settings), settings));
    } catch (ClDevice.NotFound e) {
      throw new OpenClException(
          OpenClException.Fault.NO_DEVICE, ID + " cannot run here: " + e.getMessage(), e);
    }
  }
}
