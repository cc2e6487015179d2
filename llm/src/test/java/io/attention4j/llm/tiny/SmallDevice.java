package io.attention4j.llm.tiny;

import io.attention4j.engine.spi.Availability;
import io.attention4j.engine.spi.Device;
import io.attention4j.engine.spi.DeviceOptions;
import io.attention4j.engine.spi.Kernel;
import io.attention4j.engine.spi.KernelProvider;
import io.attention4j.engine.tensor.DType;
import io.attention4j.engine.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;

/** A device with memory of its own, but none to give; to be had while {@link #PRESENT} is set. */
public final class SmallDevice implements KernelProvider {
  /** Devices that are open, plus 1000 while there is a device at all. */
  public static final AtomicInteger PRESENT = new AtomicInteger();

  /** What {@link #PRESENT} starts from. */
  public static final int THERE = 1000;

  private static final String REASON = "a device of the tests has 0 bytes";

  @Override
  public String id() {
    return "test.small";
  }

  @Override
  public int rank() {
    return 100;
  }

  @Override
  public boolean hostMemory() {
    return false;
  }

  @Override
  public Availability availability() {
    return PRESENT.get() >= THERE
        ? new Availability.Available(REASON)
        : new Availability.Unavailable("no test asked for it");
  }

  @Override
  public Device open(DeviceOptions options) {
    PRESENT.incrementAndGet();
    return new Device() {
      @Override
      public String providerId() {
        return id();
      }

      @Override
      public String description() {
        return REASON;
      }

      @Override
      public int threads() {
        return 1;
      }

      @Override
      public <K extends Kernel<?>> Optional<K> kernel(Class<K> kind) {
        return Optional.empty();
      }

      @Override
      public TensorArena newArena() {
        return new TensorArena() {
          @Override
          public Tensor allocate(DType dtype, long... extents) {
            throw new IllegalStateException(REASON);
          }

          @Override
          public void close() {}
        };
      }

      @Override
      public void upload(MemorySegment source, Tensor target) {
        throw new IllegalStateException(REASON);
      }

      @Override
      public void download(Tensor source, MemorySegment target) {
        throw new IllegalStateException(REASON);
      }

      @Override
      public void close() {
        PRESENT.decrementAndGet();
      }
    };
  }
}
