package io.attention4j.engine.runtime;

import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.Kernel;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.engine.spi.Support;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Chooses a provider and, for every spec, a kernel; explains each refusal. A provider that was
 * asked for by name is used or fails: it never falls back silently.
 */
public final class KernelSelector implements AutoCloseable {
  /** System property that names the provider, as {@code -Dattention4j.kernels=cpu.scalar}. */
  public static final String PROPERTY = "attention4j.kernels";

  /** Name of the automatic choice. */
  public static final String AUTO = "auto";

  /** Providers whose absence was said already: once in a JVM is enough. */
  private static final Set<String> WARNED = ConcurrentHashMap.newKeySet();

  private final List<Device> devices;
  private final boolean explicit;

  private KernelSelector(List<Device> devices, boolean explicit) {
    this.devices = devices;
    this.explicit = explicit;
  }

  /** All providers on the class or module path, the highest rank first. */
  public static List<KernelProvider> providers() {
    List<KernelProvider> found = new ArrayList<>();
    ServiceLoader.load(KernelProvider.class).forEach(found::add);
    found.sort(Comparator.comparingInt(KernelProvider::rank).reversed());
    return found;
  }

  /**
   * What to hand to {@link #open}, one after the other until one can do the whole work: the
   * provider with this id (or of {@link #PROPERTY}) alone or, for "auto", each device with memory
   * of its own that may be chosen here, then {@link #AUTO}. No kernels stand behind those of such a
   * device, and it may refuse a spec or lack memory.
   */
  public static List<String> attempts(String id) {
    String wanted = id != null ? id : System.getProperty(PROPERTY, AUTO);
    List<String> attempts = new ArrayList<>();
    if (wanted.equals(AUTO)) {
      for (KernelProvider provider : providers()) {
        if (provider.rank() >= 0
            && !provider.hostMemory()
            && provider.automatic() instanceof Availability.Available) {
          attempts.add(provider.id());
        }
      }
    }
    attempts.add(wanted);
    return attempts;
  }

  /**
   * Opens the provider with this id or, for "auto" (or null with {@link #PROPERTY} unset), the best
   * one that is available here and works on host memory, with the others of that kind behind it for
   * the specs that it refuses. Where a better one of that kind cannot run, a warning that says why
   * goes to the {@link System.Logger} of this class, once in a JVM; naming a provider avoids it.
   *
   * @throws IllegalArgumentException if no provider has the id; lists the known ones
   * @throws IllegalStateException if the provider is unavailable, or none is; says why
   */
  public static KernelSelector open(String id, DeviceOptions options) {
    String wanted = id != null ? id : System.getProperty(PROPERTY, AUTO);
    List<KernelProvider> providers = providers();
    if (!wanted.equals(AUTO)) {
      return new KernelSelector(List.of(named(wanted, providers).open(options)), true);
    }
    List<Device> opened = new ArrayList<>();
    StringBuilder reasons = new StringBuilder();
    boolean complete = false;
    try {
      for (KernelProvider provider : providers) {
        if (provider.rank() < 0 || !provider.hostMemory()) {
          continue; // asking whether it is there may already load a driver
        }
        switch (provider.availability()) {
          case Availability.Available available -> {
            opened.add(provider.open(options));
            warnOfFallback(provider, reasons);
          }
          case Availability.Unavailable no -> {
            if (opened.isEmpty()) {
              reasons.append(" ").append(provider.id()).append(": ").append(no.reason());
            }
          }
        }
      }
      if (opened.isEmpty()) {
        throw new IllegalStateException(
            "no kernel provider can run here;"
                + (reasons.isEmpty() ? " none is on the class path" : reasons));
      }
      complete = true;
    } finally {
      if (!complete) {
        opened.forEach(Device::close);
      }
    }
    return new KernelSelector(List.copyOf(opened), false);
  }

  /** A decoder that is ten times slower than it could be must not go unnoticed. */
  private static void warnOfFallback(KernelProvider chosen, StringBuilder reasons) {
    if (!reasons.isEmpty() && WARNED.add(reasons.toString())) {
      System.getLogger(KernelSelector.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "computing with the slower kernels {0}, since better ones cannot run here;{1}",
              chosen.id(),
              reasons);
    }
  }

  private static KernelProvider named(String id, List<KernelProvider> providers) {
    for (KernelProvider provider : providers) {
      if (provider.id().equals(id)) {
        if (provider.availability() instanceof Availability.Unavailable no) {
          throw new IllegalStateException("kernels '" + id + "' cannot run here: " + no.reason());
        }
        return provider;
      }
    }
    List<String> known = providers.stream().map(KernelProvider::id).toList();
    throw new IllegalArgumentException(
        "unknown kernels '" + id + "'; known are " + AUTO + " and " + known);
  }

  /** The device that is asked first and owns the tensors. */
  public Device device() {
    return devices.getFirst();
  }

  /**
   * The first kernel of this kind that takes the spec.
   *
   * @throws IllegalArgumentException if none does; gives every reason
   */
  public <S, K extends Kernel<S>> K select(Class<K> kind, S spec) {
    List<String> refusals = new ArrayList<>();
    for (Device device : devices) {
      K kernel = device.kernel(kind).orElse(null);
      if (kernel == null) {
        refusals.add(device.providerId() + " has no " + kind.getSimpleName());
      } else if (kernel.supports(spec) instanceof Support.No no) {
        refusals.add(device.providerId() + ": " + no.reason());
      } else {
        return kernel;
      }
    }
    throw new IllegalArgumentException(
        "no "
            + kind.getSimpleName()
            + " for "
            + spec
            + (explicit ? " (kernels were chosen by name)" : "")
            + ": "
            + String.join("; ", refusals));
  }

  /** Whether any device has a kernel of this kind, whatever specs it takes. */
  public boolean offers(Class<? extends Kernel<?>> kind) {
    return devices.stream().anyMatch(device -> device.kernel(kind).isPresent());
  }

  /** Why each device takes or refuses a spec, one line each, in the order of asking. */
  public <S, K extends Kernel<S>> List<String> explain(Class<K> kind, S spec) {
    List<String> lines = new ArrayList<>();
    for (Device device : devices) {
      K kernel = device.kernel(kind).orElse(null);
      String verdict;
      if (kernel == null) {
        verdict = "has no " + kind.getSimpleName();
      } else if (kernel.supports(spec) instanceof Support.No no) {
        verdict = "refuses: " + no.reason();
      } else {
        verdict = "takes it";
      }
      lines.add(device.providerId() + " " + verdict);
    }
    return lines;
  }

  @Override
  public void close() {
    devices.forEach(Device::close);
  }
}
