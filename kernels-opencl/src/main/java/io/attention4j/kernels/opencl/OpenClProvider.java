package io.attention4j.kernels.opencl;

import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KernelProvider;

/**
 * The provider {@code opencl}. Only used when asked for by name: the automatic choice puts the CPU
 * kernels behind the first device for specs that it refuses, and those cannot read its memory.
 *
 * <p>The device is the one that the system property {@code attention4j.opencl.device} or the
 * environment variable {@code ATTENTION4J_OPENCL_DEVICE} names by kind ("gpu"), part of its name or
 * number; else the first GPU, else the first accelerator, else a CPU.
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
    return -2;
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
