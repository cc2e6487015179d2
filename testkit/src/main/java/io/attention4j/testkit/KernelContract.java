package io.attention4j.testkit;

import io.attention4j.engine.runtime.KernelSelector;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.Kernel;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.engine.spi.Support;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestInstance;

/** What the contracts of all kernel kinds share: the devices and the list of refused cases. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class KernelContract {
  private static final String FILTER = System.getProperty("attention4j.case", "");

  /** A case: checks something or throws {@link AssertionError}. */
  @FunctionalInterface
  protected interface Check {
    /** Runs it. */
    void run();
  }

  private final String kind;
  private final Set<String> seen = new TreeSet<>();
  private final Set<String> refusedHere = new TreeSet<>();
  private Set<String> refusedByList;
  private KernelSelector selector;
  private Device device;
  private int ran;

  /** A contract whose cases are named {@code kind/...}. */
  protected KernelContract(String kind) {
    this.kind = kind;
  }

  /** The provider under test; must be available. */
  protected abstract KernelProvider provider();

  /** The device under test, opened with two threads. */
  protected final Device device() {
    return device;
  }

  /** The oracle. */
  protected final Device reference() {
    return selector.device();
  }

  /** The kernel of a device; fails if it has none. */
  protected final <K extends Kernel<?>> K kernel(Device on, Class<K> type) {
    return on.kernel(type)
        .orElseThrow(() -> new AssertionError(on.providerId() + " has no " + type.getSimpleName()));
  }

  /** A test of one case, named {@code kind/name}, that runs only if the kernel takes the spec. */
  protected final <S, K extends Kernel<S>> DynamicTest testCase(
      String name, Class<K> type, S spec, Check check) {
    String fullName = kind + "/" + name;
    return DynamicTest.dynamicTest(
        fullName,
        () -> {
          if (!fullName.contains(FILTER)) {
            return;
          }
          if (takes(fullName, kernel(device, type), spec)) {
            ran++;
            try {
              check.run();
            } catch (AssertionError | RuntimeException e) {
              throw new AssertionError(
                  e.getMessage() + " (rerun with -Dattention4j.case=" + fullName + ")", e);
            }
          }
        });
  }

  private <S> boolean takes(String fullName, Kernel<S> kernel, S spec) {
    seen.add(fullName);
    boolean listed = refusedByList.contains(fullName);
    switch (kernel.supports(spec)) {
      case Support.No no -> {
        refusedHere.add(fullName);
        if (!listed) {
          throw new AssertionError(
              fullName
                  + " is refused ("
                  + no.reason()
                  + ") but "
                  + listName()
                  + " does not list it");
        }
        return false;
      }
      case Support.Yes yes -> {
        if (listed) {
          throw new AssertionError(
              fullName
                  + " is taken although "
                  + listName()
                  + " lists it as refused; remove the line");
        }
        return true;
      }
    }
  }

  @BeforeAll
  final void open() {
    selector = KernelSelector.open("reference", DeviceOptions.DEFAULTS);
    device = provider().open(new DeviceOptions(2));
    refusedByList = readList();
  }

  @AfterAll
  final void close() {
    device.close();
    selector.close();
    if (!FILTER.isEmpty()) {
      return;
    }
    System.out.println(
        provider().id()
            + " "
            + kind
            + ": "
            + ran
            + " cases ran, "
            + refusedHere.size()
            + " refused"
            + (refusedHere.isEmpty() ? "" : " " + refusedHere));
    if (ran == 0) {
      throw new AssertionError("no case of " + kind + " ran on " + provider().id());
    }
    for (String name : refusedByList) {
      if (name.startsWith(kind + "/") && !seen.contains(name)) {
        throw new AssertionError(listName() + " lists " + name + ", which is no case");
      }
    }
  }

  private String listName() {
    return "/refused-" + provider().id() + ".txt";
  }

  private Set<String> readList() {
    try (InputStream in = getClass().getResourceAsStream(listName())) {
      if (in == null) {
        return Set.of();
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8)
          .lines()
          .map(String::strip)
          .filter(line -> !line.isEmpty() && !line.startsWith("#"))
          .collect(Collectors.toCollection(TreeSet::new));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
