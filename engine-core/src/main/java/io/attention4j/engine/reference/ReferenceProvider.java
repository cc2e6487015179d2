package io.attention4j.engine.reference;

import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.KernelProvider;

/** The provider {@code reference}; runs everywhere, only when asked for by name. */
public final class ReferenceProvider implements KernelProvider {
  /** Id of this provider. */
  public static final String ID = "reference";

  /** For ServiceLoader. */
  public ReferenceProvider() {}

  @Override
  public String id() {
    return ID;
  }

  @Override
  public int rank() {
    return -1;
  }

  @Override
  public Availability availability() {
    return new Availability.Available("float64 plain loops, one thread");
  }

  @Override
  public Device open(DeviceOptions options) {
    return new ReferenceDevice();
  }
}
